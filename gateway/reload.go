//go:build linux

package main

import (
	"errors"
	"slices"
	"sync/atomic"

	"echogate/gateway/admin"
)

// reloads counts what SIGHUP has led to.
type reloads struct{ done, refused atomic.Uint64 }

// counter is for the admin port.
func (r *reloads) counter() admin.Counter {
	return admin.Counter{
		Name: "reloads_total", Labels: []string{"result"}, Help: "Configurations read anew.",
		Read: func(add func(n uint64, labels ...string)) {
			add(r.done.Load(), "done")
			add(r.refused.Load(), "refused")
		},
	}
}

// reload reads the configuration anew and puts it in force. A bad one is refused
// with its reason, and the old one stays.
func (g *gateway) reload() {
	c, err := g.again()
	if err == nil {
		err = g.apply(c)
	}
	if err != nil {
		refused := g.reloads.refused.Add(1)
		g.log.Error("new configuration refused, the old one stays", "err", err, "reloads_refused", refused)
		return
	}
	g.log.Info("configuration reloaded", "reloads", g.reloads.done.Add(1))
}

// apply puts c in force.
func (g *gateway) apply(c *Config) error {
	if err := c.reloads(g.config); err != nil {
		return err
	}
	c.cores = g.config.cores
	c.memory = memoryLimit(g.log) // it may have been changed, too
	p, err := serverConfig(c, g.log, g.given)
	if err != nil {
		return err
	}
	if (c.speaksTLS()) != (g.config.tls != nil) {
		return c.wrong("tls-cert", "TLS cannot begin or end while the gateway runs: a restart takes it")
	}
	if err := c.loadTLS(g.config.tls, g.log); err != nil {
		return err
	}
	p.TLS = c.tls.configuration()
	p.Listen = g.Config().Listen // without --listen it is what was handed on
	if err := g.Reload(p); err != nil {
		return err
	}
	g.config = c
	g.boundHeap()
	g.admin.Set(c.adminOptions())
	g.level.Set(c.LogLevel)
	return nil
}

// reloads reports what differs from the configuration before and cannot change
// while the program runs, under the names by which it was given.
func (c *Config) reloads(old *Config) error {
	var errs []error
	for _, fixed := range []struct {
		flag string
		same bool
	}{
		{c.listenFlag(), slices.Equal(c.Listen, old.Listen)},
		{"loops", c.Loops == old.Loops},
		{"socket-buffer", c.SocketBuffer == old.SocketBuffer},
		{"admin", c.Admin == old.Admin},
		{"access-log", c.AccessLog == old.AccessLog},
		{"log-format", c.LogFormat == old.LogFormat},
	} {
		if !fixed.same {
			errs = append(errs, c.wrong(fixed.flag, "cannot change while the gateway runs: a restart takes it"))
		}
	}
	return errors.Join(errs...)
}
