package poller

import (
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// stuckAge is when a loop is surely not only late: less than an operator's bound,
// so that tests are short.
const stuckAge = 300 * time.Millisecond

// A loop that a handler blocks gets older, with the route that it is busy with;
// the others do not.
func TestHealthStuck(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	blocking := func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		<-release
		return nil
	}
	s := start(t, map[string]websocket.Route{"/echo": echoing, "/block/{how}": {Message: blocking}}, nil)
	other := s.dial("/echo") // on the first loop, which accepts
	s.dial("/block/long").text("x")
	eventually(t, "one loop that is stuck", func() bool {
		stuck := 0
		for i, h := range s.Health() {
			switch {
			case h.Age < stuckAge:
			case h.Asleep || h.Route != "/block/{how}":
				t.Fatalf("loop %d: %+v", i, h)
			default:
				stuck++
			}
		}
		return stuck == 1
	})
	other.echo("not held up")
	release <- struct{}{}
	eventually(t, "all well", func() bool {
		all := s.Health()
		return all[0].Age < stuckAge && all[1].Age < stuckAge && all[0].Route+all[1].Route == ""
	})
}

// A loop that sleeps is well, for as long as it sleeps.
func TestHealthAsleep(t *testing.T) {
	t.Parallel()
	s := start(t, echoTable, func(c *Config) { c.Loops = 1 })
	s.dial("/echo").Close()
	eventually(t, "sleep", func() bool { return s.Health()[0].Asleep })
	s.start = s.start.Add(-time.Hour)
	if h := s.Health()[0]; h.Age != 0 || !h.Asleep {
		t.Errorf("after an hour of sleep: %+v", h)
	}
	s.stop()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if h := s.Health()[0]; h.Age != 0 || !h.Asleep {
		t.Errorf("after its end: %+v", h)
	}
}

// A loop whose timer is off, so that it seems to sleep, is found out when it does
// not answer.
func TestHealthStuckInSleep(t *testing.T) {
	t.Parallel()
	s := start(t, echoTable, func(c *Config) { c.Loops = 1 })
	release := s.blockLoop()
	if beat := s.loops[0].beat.Load(); beat != 0 {
		t.Fatalf("the loop does not sleep: beat %d", beat)
	}
	eventually(t, "its age", func() bool {
		h := s.Health()[0]
		if h.Asleep {
			t.Fatalf("a blocked loop sleeps: %+v", h)
		}
		return h.Age >= stuckAge
	})
	close(release)
	eventually(t, "sleep", func() bool { return s.Health()[0].Asleep })
}

// A server that does not run yet is not stuck, and not ready.
func TestHealthBeforeRun(t *testing.T) {
	t.Parallel()
	s := prepare(t, echoTable, nil)
	for range 2 {
		for i, h := range s.Health() {
			if h.Age != 0 || !h.Asleep {
				t.Errorf("loop %d: %+v", i, h)
			}
		}
	}
	if r := s.Readiness(); r.Listening || r.Draining {
		t.Errorf("before Run: %+v", r)
	}
	s.run()
	eventually(t, "readiness", func() bool { return s.Readiness() == Readiness{Listening: true} })
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := start(t, echoTable, func(c *Config) { c.Drain, c.DrainTimeout = time.Hour, time.Hour })
	c := s.dial("/echo")
	if r := s.Readiness(); !r.Listening || r.Draining || r.Paused || r.Connections != 1 {
		t.Errorf("with a client: %+v", r)
	}
	s.starved.Add(1)
	if r := s.Readiness(); !r.Listening || !r.Paused {
		t.Errorf("without descriptors: %+v", r)
	}
	s.starved.Add(-1)
	s.stop()
	eventually(t, "draining", func() bool { return s.Readiness() == Readiness{Draining: true, Connections: 1} })
	s.Cut()
	c.Close()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if r := s.Readiness(); r != (Readiness{Draining: true}) {
		t.Errorf("at the end: %+v", r)
	}
}
