//go:build linux

package main

import (
	"cmp"
	"time"
)

// watchEvery is how often the files of TLS are looked at; 0 given: never.
func (c *Config) watchEvery() time.Duration { return cmp.Or(c.TLSWatch, maxDeadline) }

// renewTLS looks whether the files of TLS hold something new. What is bad, or
// only half written yet, is refused, and the old stays; the log says so once.
func (g *gateway) renewTLS() {
	if g.config.tls == nil || g.config.TLSSelfSigned || g.stopping > 0 {
		return
	}
	next := *g.config
	err := next.loadTLS(g.config.tls, g.log)
	if err == nil && next.tls == g.config.tls {
		g.badTLS = ""
		return
	}
	if err == nil {
		p := g.Config()
		p.TLS = next.tls.configuration()
		err = g.Reload(p)
	}
	if err != nil {
		if text := err.Error(); text != g.badTLS {
			g.badTLS = text
			g.log.Error("new certificate refused, the old one stays", "err", err)
		}
		return
	}
	g.config, g.badTLS = &next, ""
	g.log.Info("new certificate in force")
}
