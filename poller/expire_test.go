package poller

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// frames are the frames that the loop has sent to a connection.
func (c stillConn) frames() []ws.Frame {
	c.t.Helper()
	var all []ws.Frame
	for r := bytes.NewBuffer(c.receives()); r.Len() > 0; {
		h, err := ws.ReadHeader(r)
		if err != nil || h.Length > int64(r.Len()) {
			c.t.Fatalf("half a frame: %+v, %v", h, err)
		}
		all = append(all, ws.Frame{Header: h, Payload: r.Next(int(h.Length))})
	}
	return all
}

// want compares what the loop has sent with opcodes.
func (c stillConn) want(what string, ops ...ws.OpCode) []ws.Frame {
	c.t.Helper()
	got := c.frames()
	same := len(got) == len(ops)
	for i := 0; same && i < len(ops); i++ {
		same = got[i].Header.OpCode == ops[i]
	}
	if !same {
		c.t.Fatalf("%s: frames %v, want opcodes %v", what, got, ops)
	}
	return got
}

func pinging(c *Config) { c.Limits.PingInterval, c.Limits.IdleTimeout = 10*time.Second, 25*time.Second }

func TestPingThenIdle(t *testing.T) {
	l := still(t, limited(pinging))
	c := open(t, l)
	for range 2 { // intervals of up to 11 s begin at 0
		for range 11 {
			later(t, l, time.Second-tickTime) // a step is not a late tick
		}
		c.want("after an interval of silence", ws.OpPing)
	}
	for range 4 {
		later(t, l, time.Second-tickTime)
	}
	end := c.want("after the idle time", ws.OpClose)[0]
	if code, _ := ws.ParseCloseFrameData(end.Payload); code != ws.StatusPolicyViolation {
		t.Errorf("closed with %d, want 1008", code)
	}
	if now := l.snapshot(); now.Connections != 1 || c.ws.Open() {
		t.Errorf("%d connections, open %t: it is to wait for the peer's close frame", now.Connections, c.ws.Open())
	}
}

// TestLateTickDoesNotStorm: when the process stood still (a suspended machine, a
// handler that blocked), what the peers sent meanwhile is read before anybody is
// ended for silence.
func TestLateTickDoesNotStorm(t *testing.T) {
	l := still(t, limited(pinging))
	quiet, alive := open(t, l), open(t, l)
	later(t, l, tickTime) // who was heard of in the last tick before it is taken for alive
	later(t, l, time.Hour)
	quiet.want("in the late tick itself")
	alive.want("in the late tick itself")
	alive.sends(ws.MustCompileFrame(ws.MaskFrame(ws.NewPongFrame(nil))))
	later(t, l, tickTime)
	alive.want("heard of meanwhile")
	if !alive.ws.Open() {
		t.Error("a connection that was heard of was ended")
	}
	quiet.want("silent all the time", ws.OpPing, ws.OpClose)
	if l.stats.LateTicks != 1 {
		t.Errorf("%d late ticks, want 1", l.stats.LateTicks)
	}
}

// TestLatePingIsOne: intervals that passed unseen are not made up for.
func TestLatePingIsOne(t *testing.T) {
	l := still(t, limited(func(c *Config) { c.Limits.PingInterval = time.Second }))
	c := open(t, l)
	later(t, l, tickTime)
	later(t, l, time.Minute)
	later(t, l, tickTime)
	c.want("after a minute", ws.OpPing)
}

// TestTimerRuns while there is a connection, though no deadline is on: its
// handler may set one at any time, and the clock must not stand still.
func TestTimerRuns(t *testing.T) {
	l := still(t, limited(nil))
	if later(t, l, time.Second); l.armed {
		t.Fatal("the timer runs for nobody")
	}
	c := open(t, l)
	later(t, l, time.Second)
	if !l.armed || l.wheel.count != 0 {
		t.Fatalf("timer runs: %t, with %d entries; want true, with none", l.armed, l.wheel.count)
	}
	ran := false
	c.l.call(c.fd, c.slot, func(c *websocket.Conn) error {
		c.After(time.Second, func(*websocket.Conn) error { ran = true; return nil })
		return nil
	})
	later(t, l, time.Second-2*tickTime)
	if ran {
		t.Error("the function ran too early")
	}
	if later(t, l, 3*tickTime); !ran {
		t.Error("the function did not run")
	}
	l.cut(c.fd, c.slot, websocket.ErrReset)
	if later(t, l, tickTime); l.armed {
		t.Error("the timer runs on when the last connection has gone")
	}
}

// TestLongDeadlines: what nobody will live to see does not come up at once.
func TestLongDeadlines(t *testing.T) {
	l := still(t, limited(func(c *Config) {
		c.Limits.MaxLifetime, c.Limits.PingInterval, c.Limits.IdleTimeout = maxDeadline, maxDeadline, maxDeadline
	}))
	for range 50 { // of different jitter
		c := open(t, l)
		l.call(c.fd, c.slot, func(c *websocket.Conn) error {
			c.After(1000*24*time.Hour, func(*websocket.Conn) error { t.Error("it came up"); return nil })
			return nil
		})
		later(t, l, 2*tickTime)
		l.expire(connRef(c.fd), 1)
		c.want("after two ticks")
		if !c.ws.Open() {
			t.Fatal("the connection was ended")
		}
	}
}

// TestExpireOfStaleEntry: an entry of this tick may have ended or been filed
// again by what came before it in the tick.
func TestExpireOfStaleEntry(t *testing.T) {
	l := still(t, limited(pinging))
	c := open(t, l)
	filed := c.filed
	c.heard -= 10 * ticksPerSecond * 3 // all is overdue
	l.expire(connRef(c.fd), 1)
	c.want("filed again meanwhile")
	if c.filed != filed {
		t.Errorf("filed at %d, want %d", c.filed, filed)
	}
	l.wheel.remove(connRef(c.fd))
	l.cut(c.fd, c.slot, websocket.ErrReset)
	closed := l.stats.Closed
	l.expire(connRef(c.fd), 1)
	if c.filed != 0 || l.stats.Closed != closed {
		t.Error("an entry whose connection has ended came up")
	}
}

// TestStalledAndSlow: a backlog ends its connection unless the socket takes bytes or the
// peer's kernel acknowledges some.
func TestStalledAndSlow(t *testing.T) {
	l := still(t, limited(func(c *Config) { c.Limits.StallTimeout, c.Limits.HighWater = 3*time.Second, -1 }))
	c := open(t, l)
	fill := func(c *websocket.Conn) error { return c.Send(ws.OpBinary, make([]byte, 1<<20)) }
	l.call(c.fd, c.slot, fill)
	if b := l.busyOf(c.slot); b == nil || len(b.out) == 0 {
		t.Fatal("there is no backlog")
	}
	some := make([]byte, 64<<10)
	for i := range 6 { // a slow reader: twelve seconds
		if n, err := unix.Read(c.peer, some); n <= 0 {
			t.Fatal(n, err)
		}
		if i >= 2 { // before, that the peer has taken some is all that can be seen
			_ = l.event(c.fd, unix.EPOLLOUT)
		}
		later(t, l, time.Second-tickTime)
		later(t, l, time.Second-tickTime)
		if !c.is(l) {
			t.Fatal("a reader that goes on was cut")
		}
	}
	for range 5 {
		later(t, l, time.Second-tickTime)
	}
	if c.is(l) || l.stats.Closed[websocket.CauseSlowReader] != 1 {
		t.Errorf("still there: %t; closed by cause: %v", c.is(l), l.stats.Closed)
	}
	if now := l.snapshot(); now.Buffered != 0 || now.Busy != 0 || now.Entries != 0 {
		t.Errorf("left behind: %+v", now)
	}
}

// TestBurstLeavesNothing: working state that a burst needed goes to the
// collector, what is in use and what is needed again does not.
func TestBurstLeavesNothing(t *testing.T) {
	l := still(t, limited(nil))
	all := make([]stillConn, 100)
	for i := range all {
		all[i] = open(t, l)
		all[i].sends([]byte{0x81}) // half a header
	}
	rest := []byte{0x80, 1, 2, 3, 4}
	for _, c := range all[1:] {
		c.sends(rest)
	}
	for range 3 {
		later(t, l, time.Second)
	}
	made := 0
	for _, b := range l.busys {
		if b != nil {
			made++
		}
	}
	if made != 1 || l.snapshot().Busy != 1 {
		t.Errorf("%d working states are left, %d in use; want the one in use", made, l.snapshot().Busy)
	}
	for _, c := range all[1:] {
		c.sends([]byte{0x81})
	}
	if busy := l.snapshot().Busy; busy != len(all) {
		t.Errorf("%d working states in use, want %d", busy, len(all))
	}
}

// TestTinyFramesMakeShortTurns: after a read that brought very many messages a
// connection is read in small pieces while there is more (limits.md B7).
func TestTinyFramesMakeShortTurns(t *testing.T) {
	l := still(t, limited(nil))
	c := open(t, l)
	empty := []byte{0x82, 0x80, 1, 2, 3, 4}
	for _, x := range []struct{ frames, want int }{{turnMessages, readBuffer - keptMax}, {turnMessages + 2, readBacklog}} {
		c.sends(empty[:1])
		c.sends(slices.Concat(empty[1:], bytes.Repeat(empty, x.frames-1), empty[:1]))
		c.receives()
		if got := l.limit(c.slot, l.busyOf(c.slot)); got != x.want {
			t.Errorf("after %d messages the next read takes %d bytes at most, want %d", x.frames, got, x.want)
		}
		c.sends(empty[1:])
		if b := l.busyOf(c.slot); b != nil {
			t.Errorf("after the last message it holds %+v", b)
		}
	}
}

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
		if got := l.limit(c.slot, l.busyOf(c.slot)); got != want {
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
	for range 11 {
		reads(readBacklog)
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
