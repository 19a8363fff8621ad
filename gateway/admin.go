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
		if b, err := address.Parse(text); err == nil && collide(a, b) {
			return c.wrong("admin", "%q is where %s %q listens: accepted is another address, or off", c.Admin, c.named(c.listenFlag()), text)
		}
	}
	return nil
}

// collide reports whether two addresses cannot both be listened on.
func collide(a, b address.Address) bool {
	if a.Unix != "" || b.Unix != "" {
		return a.Unix == b.Unix
	}
	return !a.Free() && a.TCP.Port() == b.TCP.Port() &&
		(a.TCP.Addr() == b.TCP.Addr() || everywhere(a) || everywhere(b))
}

// adminAddress reads the address of an admin port that is not off.
func adminAddress(text string) (address.Address, error) {
	a, err := address.Parse(text)
	if err == nil && (a.Proxy || a.Plain) {
		err = errors.New("accepted are host:port, :port, [::1]:port, unix:/path, unix:/path?mode=0660 and off")
	}
	return a, err
}

// everywhere reports whether an address stands for all of the machine's.
func everywhere(a address.Address) bool {
	return !a.TCP.Addr().IsValid() || a.TCP.Addr().IsUnspecified()
}
