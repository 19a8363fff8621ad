package poller

import (
	"testing"

	"github.com/gobwas/ws"
)

// TestHalfOpen is A9 of the limits: three times as many silent clients as may
// be. The oldest are cut, newcomers are served, and who has upgraded is none of
// them.
func TestHalfOpen(t *testing.T) {
	const most, clients = 8, 24
	for _, loops := range []int{1, 2} {
		s := start(t, echoTable, func(c *Config) { c.Loops, c.MaxHalfOpen = loops, most })
		old := s.dial("/echo")
		var silent []*client
		for i := range clients {
			silent = append(silent, s.connect())
			s.inOrder(uint64(i) + 2)
		}
		s.until("the oldest are cut", func(got Stats) bool {
			return got.Refused[RefusedHalfOpen] == clients-most && got.HalfOpen == most && got.Connections == most+1
		})
		for i, c := range silent {
			if i < clients-most {
				c.wantReset()
				continue
			}
			c.upgrade("/echo").echo("newcomer")
		}
		old.echo("upgraded before")
		if got := s.Stats(); got.HalfOpen != 0 || got.Refused[RefusedHalfOpen] != clients-most {
			t.Errorf("%d loops: got %d half-open, %d refused, want 0 and %d", loops, got.HalfOpen, got.Refused[RefusedHalfOpen], clients-most)
		}
	}
}

// TestHalfOpenNotes: the notes of who waits are swept, so that clients who come
// and go leave no memory behind.
func TestHalfOpenNotes(t *testing.T) {
	s := start(t, echoTable, func(c *Config) { c.Loops = 1 })
	waiting := s.connect()
	for range 4 * slackLobby {
		s.dial("/echo").reset()
	}
	s.until("they are gone", func(got Stats) bool { return got.Connections == 1 })
	s.onLoops(func(l *loop) {
		if n := len(l.lobby); n > slackLobby+8 {
			t.Errorf("got %d notes for one connection that waits", n)
		}
		if l.lobby[0].fd == 0 || !l.waits(l.lobby[0]) {
			t.Error("the connection that waits has no note")
		}
	})
	waiting.upgrade("/echo").echo("still there")
}

// TestHalfOpenDefault: a quarter of the connections, but never few.
func TestHalfOpenDefault(t *testing.T) {
	for cap, want := range map[int]int{10: leastHalfOpen, 8000: 2000} {
		c := Config{MaxConnections: cap}
		if c.resolve(); c.MaxHalfOpen != want {
			t.Errorf("%d connections: got %d half-open, want %d", cap, c.MaxHalfOpen, want)
		}
	}
}

// TestUpgradesAreCountedOnce: whatever else the read that brings the request, or
// a later one, leads to.
func TestUpgradesAreCountedOnce(t *testing.T) {
	s := start(t, echoTable, func(c *Config) { c.Limits.HighWater, c.Limits.LowWater = 64, 32 })
	count := uint64(0)
	counted := func(what string) {
		t.Helper()
		count++
		s.until(what, func(got Stats) bool { return got.Upgrades == count && got.Connections == 0 && got.HalfOpen == 0 })
	}

	c := s.connect() // frames behind the head: the 101 alone is over the high-water mark
	c.write(append([]byte(request("/echo")), masked(ws.OpText, []byte("early"), true)...))
	c.answer()
	c.wantText("early")
	c.reset()
	counted("frames in the request's segment")

	c = s.dial("/echo") // a large frame fails while it is read into memory of its own
	bad := make([]byte, 300<<10)
	bad[len(bad)-1] = 0xff
	frame := masked(ws.OpText, bad, true)
	c.write(frame[:100<<10])
	s.until("it is under way", func(got Stats) bool { return got.Busy == 1 })
	c.write(frame[100<<10:])
	c.wantClose(ws.StatusInvalidFramePayloadData)
	c.reset()
	counted("a large frame that fails")
}
