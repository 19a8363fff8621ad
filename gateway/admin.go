package main

import (
	"net"
	"strconv"
)

// adminOff is the value of --admin that turns the admin port off.
const adminOff = "off"

// checkAdmin judges the admin port's address.
func (c *Config) checkAdmin() error {
	if c.Admin == adminOff {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Admin)
	if err != nil {
		return c.wrong("admin", "%q is not an address: accepted are host:port, :port, [::1]:port and off", c.Admin)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return c.wrong("admin", "%q has no port from 0 to 65535", c.Admin)
	}
	for _, addr := range c.Listen {
		otherHost, otherPort, _ := net.SplitHostPort(addr)
		if port == otherPort && port != "0" && (host == otherHost || everywhere(host) || everywhere(otherHost)) {
			return c.wrong("admin", "%q collides with %s %q: accepted is an address of its own, or off", c.Admin, c.named(c.listenFlag()), addr)
		}
	}
	return nil
}

// everywhere reports whether a host stands for all addresses of the machine.
func everywhere(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
