package main

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// No churn is none: a rate of 0 is not one without a limit.
func TestMixedWithoutChurn(t *testing.T) {
	s := startServer(t, echo)
	d := small(modeMixed, func(d *load) { d.Connections, d.Active, d.Duration = 5, 2, 200*time.Millisecond })
	if r := measureServers(t, d, s.url()); r.Upgrades != 7 || r.Count == 0 {
		t.Errorf("got %d upgrades and %d messages, want those of 7 connections", r.Upgrades, r.Count)
	}
}

// A storm, too, keeps to the number of connects under way.
func TestInFlightOfAStorm(t *testing.T) {
	var now, most atomic.Int64
	s := startServer(t, echo, func(s *testServer) {
		s.upgrade = func(c net.Conn) error {
			most.Store(max(most.Load(), now.Add(1)))
			u := ws.Upgrader{OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
				now.Add(-1) // before the client can see the answer
				return nil, nil
			}}
			_, err := u.Upgrade(c)
			return err
		}
	})
	d := small(modeStorm, func(d *load) { d.Connections, d.InFlight, d.Duration = 8, 1, 300*time.Millisecond })
	if r := measureServers(t, d, s.url()); r.Errors != 0 || r.Count < 8 || most.Load() > 1 {
		t.Errorf("got %d messages, %d errors, up to %d upgrades at a time, want 1", r.Count, r.Errors, most.Load())
	}
}

// Connections are opened at the rate of the ramp.
func TestRamp(t *testing.T) {
	s := startServer(t, echo)
	d := small(modeEcho, func(d *load) { d.Connections = 11; d.Ramp = 10; d.Messages = 11 })
	begun := time.Now()
	r := measureServers(t, d, s.url())
	if took := time.Since(begun); took < time.Second || r.Count != 11 {
		t.Errorf("opened 11 at 10 a second in %v, got %d messages", took, r.Count)
	} else if measured := time.Duration(r.Duration); measured+time.Second > took {
		t.Errorf("measured for %v of %v: the second in which they were opened is none of it", measured, took)
	}
}
