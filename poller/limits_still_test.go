package poller

import (
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// This file is rows of limits.md on a loop that stands still, where time and the
// order of events are the test's.

// TestLingerIsBounded: of what a peer sends on after its failure 64 KiB are read,
// then it is cut, however little time has passed (limits.md D4).
func TestLingerIsBounded(t *testing.T) {
	l := still(t, limited(nil))
	c := open(t, l)
	c.sends([]byte("\x81\x01x")) // not masked
	c.want("the failure", ws.OpClose)
	junk := make([]byte, 4<<10)
	for sent := len(junk); sent < lingerBytes; sent += len(junk) {
		c.sends(junk)
	}
	if !c.is(l) {
		t.Fatal("it was cut before it had sent that much")
	}
	c.sends(junk)
	if c.is(l) || l.stats.Closed[websocket.CauseProtocol] != 1 {
		t.Errorf("still there: %t; closed by cause: %v", c.is(l), l.stats.Closed)
	}
}

// TestEvict: of those that hold memory the one that was heard of longest ago has
// to go (limits.md C4).
func TestEvict(t *testing.T) {
	l := still(t, limited(nil))
	idle := open(t, l)
	var holding []stillConn
	for range 3 {
		c := open(t, l)
		c.sends(partly(1000)[:500])
		holding = append(holding, c)
		later(t, l, time.Second/2)
	}
	holding[0].sends(partly(1000)[500:600]) // heard of again
	for _, i := range []int{1, 2, 0} {
		if !l.evict() {
			t.Fatal("nobody has to go")
		}
		end := holding[i].want("the one heard of longest ago", ws.OpClose)[0]
		if code, _ := ws.ParseCloseFrameData(end.Payload); code != 1013 {
			t.Errorf("closed with %d, want 1013", code)
		}
	}
	if l.evict() || !idle.ws.Open() {
		t.Error("who holds nothing has to go")
	}
}

// TestReadsAfterABacklog: for 10 s after a backlog a read takes little, for that
// may become one as well (limits.md C1).
func TestReadsAfterABacklog(t *testing.T) {
	l := still(t, limited(func(c *Config) { c.Limits.HighWater = -1 }))
	c := open(t, l)
	reads := func(want int) {
		t.Helper()
		if got := l.limit(c.slot, l.busyOf(c.slot), 0); got != want {
			t.Errorf("the next read takes %d bytes at most, want %d", got, want)
		}
	}
	reads(readBuffer - keptMax)
	l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Send(ws.OpBinary, make([]byte, 1<<20)) })
	reads(readBacklog)
	for b := l.busyOf(c.slot); b != nil && len(b.out) > 0; {
		c.receives()
		if err := l.event(c.fd, unix.EPOLLOUT); err != nil {
			t.Fatal(err)
		}
	}
	reads(readBacklog)
	for range 8 { // and the time that this test takes
		later(t, l, time.Second-tickTime)
		reads(readBacklog)
	}
	for range 3 {
		later(t, l, time.Second-tickTime)
	}
	reads(readBuffer - keptMax)
}

// TestControlBudget: the budget of control frames is one of 10 s, however many
// reads bring them, and there is a new one for the next 10 s (limits.md B6).
func TestControlBudget(t *testing.T) {
	const most = 5
	l := still(t, limited(func(c *Config) { c.Limits.MaxControlRate = most }))
	c := open(t, l)
	pings := func(n int) {
		for range n {
			c.sends(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(nil))))
			later(t, l, tickTime)
		}
	}
	pongs := slices.Repeat([]ws.OpCode{ws.OpPong}, most)
	for range 3 {
		pings(most)
		c.want("all that the budget has", pongs...)
		later(t, l, time.Duration(controlWindow)*tickTime)
	}
	pings(most + 1)
	end := c.want("one more", append(pongs, ws.OpClose)...)[most]
	if code, _ := ws.ParseCloseFrameData(end.Payload); code != ws.StatusPolicyViolation {
		t.Errorf("closed with %d, want 1008", code)
	}
}

// TestReadsEndWhereFramesEnd: behind a large frame a read takes a whole number of
// frames that are as long, whatever of the next one is kept. After a small frame, or
// one that is read to where it stays, it takes what it took before.
func TestReadsEndWhereFramesEnd(t *testing.T) {
	l := still(t, limited(func(c *Config) { // no reply: nothing is unsent
		c.Routes = compiled(t, map[string]websocket.Route{"/echo": {Message: func(*websocket.Conn, ws.OpCode, []byte) error { return nil }}})
	}))
	c := open(t, l)
	c.sends([]byte{0x82})
	for _, x := range []struct{ size, kept, want int }{
		{100, 1, readBuffer - keptMax},
		{128 << 10, 0, 6 * (14 + 128<<10)},
		{128 << 10, 9, 6*(14+128<<10) - 9},
		{65536, 1, 12*(14+65536) - 1},
		{256 << 10, 1, 3*(14+256<<10) - 1},
		{290 << 10, 1, readLong},
		{150 << 10, 1, 5*(14+150<<10) - 1},
		{290 << 10, 1, readLong},
		{100, 1, readBuffer - keptMax},
	} {
		// The first byte of the next frame is read with it: something is unfinished
		// all the time, as in a stream.
		b := append(masked(ws.OpBinary, make([]byte, x.size), true)[1:], 0x82)
		for len(b) > 0 {
			n := min(len(b), 60_000)
			c.sends(b[:n])
			c.receives()
			b = b[n:]
		}
		if got := l.limit(c.slot, l.busyOf(c.slot), x.kept); got != x.want {
			t.Errorf("after a frame of %d bytes, with %d kept, a read takes %d at most, want %d", x.size, x.kept, got, x.want)
		}
	}
}
