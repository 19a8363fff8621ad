package main

import (
	"errors"

	"echogate/poller/address"
)

// adminOff is the value of --admin that turns the admin port off.
const adminOff = "off"

// checkAdmin judges the admin port's address.
func (c *Config) checkAdmin() error {
	if c.Admin == adminOff {
		return nil
	}
	a, err := adminAddress(c.Admin)
	if err != nil {
		return c.wrong("admin", "%q: %w", c.Admin, err)
	}
	for _, text := range c.Listen {
		b, err := address.Parse(text)
		if err != nil || b.Unix != "" || a.Free() || a.TCP.Port() != b.TCP.Port() {
			continue
		}
		if a.TCP.Addr() == b.TCP.Addr() || everywhere(a) || everywhere(b) {
			return c.wrong("admin", "%q is where %s %q listens: accepted is another port, or off", c.Admin, c.named(c.listenFlag()), text)
		}
	}
	return nil
}

// adminAddress reads the address of an admin port that is not off.
func adminAddress(text string) (address.Address, error) {
	a, err := address.Parse(text)
	if err == nil && (a.Unix != "" || a.Options != address.Options{}) {
		err = errors.New("accepted are host:port, :port, [::1]:port and off")
	}
	return a, err
}

// everywhere reports whether an address stands for all of the machine's.
func everywhere(a address.Address) bool {
	return !a.TCP.Addr().IsValid() || a.TCP.Addr().IsUnspecified()
}
