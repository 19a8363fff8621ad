package main

import "echogate/poller"

// trust has the poller believe the proxies that the configuration names.
func (c *Config) trust(p *poller.Config) error {
	trusted, err := c.parseProxies()
	if err != nil || len(c.TrustedProxies) == 0 {
		return err
	}
	p.Trusted, p.Preface = trusted.has, readPreface
	if c.ClientHeader != HeaderOff {
		p.Forwarded = clients{c.ClientHeader, trusted}.of
	}
	return nil
}
