//go:build linux

package main

import (
	"errors"
	"slices"
)

// reloads counts what SIGHUP has led to.
type reloads struct{ done, refused int }

// reload reads the configuration anew and puts it in force. A bad one is refused
// with its reason, and the old one stays.
func (g *gateway) reload() {
	c, err := g.again()
	if err == nil {
		err = g.apply(c)
	}
	if err != nil {
		g.reloads.refused++
		g.log.Error("new configuration refused, the old one stays", "err", err, "reloads_refused", g.reloads.refused)
		return
	}
	g.reloads.done++
	g.log.Info("configuration reloaded", "reloads", g.reloads.done)
}

// apply puts c in force.
func (g *gateway) apply(c *Config) error {
	if err := c.reloads(g.config); err != nil {
		return err
	}
	p, err := serverConfig(c, g.log)
	if err != nil {
		return err
	}
	p.Listen = g.Config().Listen // without --listen it is what was handed on
	if err := g.Reload(p); err != nil {
		return err
	}
	g.config = c
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
		{"access-log", c.AccessLog == old.AccessLog},
		{"log-format", c.LogFormat == old.LogFormat},
	} {
		if !fixed.same {
			errs = append(errs, c.wrong(fixed.flag, "cannot change while the gateway runs: a restart takes it"))
		}
	}
	return errors.Join(errs...)
}
