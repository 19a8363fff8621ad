package poller

import (
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestTicksWrap: after 497 days ticks begin anew. Deadlines and the clock that
// handlers see go on.
func TestTicksWrap(t *testing.T) {
	l := still(t, limited(func(c *Config) { c.Limits.PingInterval, c.Limits.MessageTimeout = time.Second, 5*time.Second }))
	l.srv.start = time.Now().Add(2*time.Second - 1<<32*tickTime)
	c := open(t, l)
	c.sends(masked(ws.OpText, []byte("begun"), false))
	began, pings := l.Now(), 0
	for last := began; c.ws.Open(); last = l.Now() {
		later(t, l, 500*time.Millisecond)
		if l.Now() <= last {
			t.Fatalf("the clock went from %v to %v", last, l.Now())
		}
		for _, f := range c.frames() {
			if f.Header.OpCode == ws.OpPing {
				pings++
			}
		}
	}
	if took := l.Now() - began; took < 5*time.Second || took > 6*time.Second || pings < 3 || l.era != 1 {
		t.Errorf("ended after %v and %d pings, era %d, want about 5s, a ping each second, era 1", took, pings, l.era)
	}
}
