package poller

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"echogate/poller/websocket"
)

// Reload puts a new configuration in force, whole or, with an error, not at all.
// Connections keep the routes and limits that they were upgraded with; bounds on
// all of them together change at once, and end nobody who is there. The listen
// addresses and the number of loops cannot change; Inherited and the logs are
// not looked at.
func (s *Server) Reload(config Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	old := s.conf()
	config.Inherited, config.Log, config.AccessLog = old.Inherited, old.Log, old.AccessLog
	if err := config.Validate(); err != nil {
		return err
	}
	config.resolve()
	if err := config.reloads(old); err != nil {
		return err
	}
	s.version = s.unused(s.version)
	routes := config.Routes.With(s.version, config.Limits, config.MaxHead)
	s.config.Store(&config)
	s.jobs.resize(config.Jobs)
	return s.switchTo(routes)
}

// reloads reports what differs from the configuration before and cannot change.
func (c *Config) reloads(old *Config) error {
	var errs []error
	for _, fixed := range []struct {
		name string
		same bool
	}{
		{"listen addresses", slices.Equal(c.Listen, old.Listen)},
		{"loops", c.Loops == old.Loops},
		{"whether TLS is spoken", (c.TLS == nil) == (old.TLS == nil)},
		{"socket buffer", c.SocketBuffer == old.SocketBuffer},
	} {
		if !fixed.same {
			errs = append(errs, fmt.Errorf("poller: %s: cannot change while the server runs", fixed.name))
		}
	}
	return errors.Join(errs...)
}

// unused is the version after last that no connection has. 0 is none: it is what
// Compile makes.
func (s *Server) unused(last uint16) uint16 {
	for {
		if last++; last != 0 && !slices.Contains(s.inUse, last) {
			return last
		}
	}
}

// switchTo has every loop serve routes, and notes which versions are still in
// use. It waits for the loops, but not for ever: a handler may block one, which
// takes them when it is back.
func (s *Server) switchTo(routes *websocket.Routes) error {
	names := s.name(routes)
	answers := make(chan []uint16, len(s.loops))
	asked := s.each(func(l *loop) { answers <- l.reload(routes, names) })
	if asked == 0 {
		return websocket.ErrGone
	}
	timer := time.NewTimer(cutTime)
	defer timer.Stop()
	inUse := []uint16{s.version}
	for range asked {
		select {
		case versions := <-answers:
			inUse = append(inUse, versions...)
		case <-s.ended:
			return websocket.ErrGone
		case <-timer.C:
			s.inUse = append(s.inUse, inUse...)
			return errors.New("poller: a loop does not answer: a handler blocks it; it takes the configuration when it is back")
		}
	}
	s.inUse = inUse
	return nil
}

// reload is the loop's part. It returns the versions that its connections have.
func (l *loop) reload(routes *websocket.Routes, names []uint16) []uint16 {
	l.conn.Serve(routes)
	l.names = names
	l.pool.regions.keep = l.srv.conf().kept()
	for _, ln := range l.listeners {
		if err := ln.userTimeout(l.srv.conf().userTimeout()); err != nil {
			l.srv.log.Warn("option not set on a listener", "addr", ln.addr, "err", err)
		}
	}
	for _, n := range l.lobby { // their time may be shorter now
		if l.waits(n) {
			l.schedule(int(n.fd), l.table.at(int(n.fd)))
		}
	}
	l.makeRoom()
	return l.conn.Versions()
}
