package main

import (
	"echogate/poller/address"
)

// checkAddresses judges the addresses to listen on.
func (c *Config) checkAddresses() error {
	if len(c.Listen) == 0 {
		return c.wrong("listen", "no address: accepted are "+address.Accepted)
	}
	var all []address.Address
	for _, text := range c.Listen {
		a, err := address.Parse(text)
		if err != nil {
			return c.wrong("listen", "%q: %w", text, err)
		}
		for _, b := range all {
			if a.Same(b) && !a.Free() {
				return c.wrong("listen", "%q is there twice: accepted is each address once", text)
			}
		}
		all = append(all, a)
	}
	return nil
}
