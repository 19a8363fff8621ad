package poller

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// TestDrainCode: connections are sent away with the code that the configuration
// has when the drain begins.
func TestDrainCode(t *testing.T) {
	for code, want := range map[ws.StatusCode]ws.StatusCode{0: 1001, 1001: 1001, 1012: 1012} {
		s := start(t, echoTable, func(c *Config) { c.DrainCode = code })
		c := s.dial("/echo")
		s.stop()
		c.wantClose(want)
		c.finish(want)
	}
	c := Config{DrainCode: 1000}
	if err := c.Validate(); !strings.Contains(err.Error(), "drain code: 1000 is neither 1001 nor 1012") {
		t.Errorf("a code that says nothing of leaving: got %v", err)
	}
}

// TestDrainShare: a share of the connections is sent away, the others and
// newcomers are not.
func TestDrainShare(t *testing.T) {
	const clients = 64
	s := start(t, echoTable, func(c *Config) { c.DrainCode, c.Limits.CloseTimeout = 1012, 200*time.Millisecond })
	for range clients {
		s.dial("/echo")
	}
	s.connect() // has not upgraded
	s.Drain(0, time.Millisecond)
	s.onLoops(func(l *loop) {
		if n := l.snapshot().Timers; n != 0 {
			t.Errorf("got %d of none", n)
		}
	})
	s.Drain(0.5, time.Hour)
	drawn := 0
	s.onLoops(func(l *loop) { drawn += l.snapshot().Timers })
	if drawn < clients/8 || drawn > clients*7/8 { // by chance: once in 10^9
		t.Errorf("got %d of %d for a half", drawn, clients)
	}
	c := s.dial("/echo")
	s.Drain(1, 10*time.Millisecond)
	c.wantClose(1012)
	c.finish(1012)
	s.until("counted", func(got Stats) bool { return got.Closed[websocket.CauseGoingAway] == 1 })
	s.dial("/echo").echo("newcomer")
}

// TestDrainShareWaitsForJobs: a message whose job is under way has been taken,
// and its answer leaves before the connection is sent away.
func TestDrainShareWaitsForJobs(t *testing.T) {
	job, release := make(chan struct{}), make(chan struct{})
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return c.Go(func() func(*websocket.Conn) error {
			close(job)
			<-release
			return func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("answer")) }
		})
	}}}, func(c *Config) { c.Loops = 1 })
	c := s.dial("/")
	c.text("question")
	receive(t, job)
	s.Drain(1, 0)
	asked := s.tick()
	eventually(t, "the drain has come to it", func() bool { return s.tick() > asked+5 })
	close(release)
	c.wantText("answer")
	c.wantClose(1001)
	c.finish(1001)
}
