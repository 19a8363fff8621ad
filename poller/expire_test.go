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
		if got := l.limit(c.slot, l.busyOf(c.slot), 0); got != x.want {
			t.Errorf("after %d messages the next read takes %d bytes at most, want %d", x.frames, got, x.want)
		}
		c.sends(empty[1:])
		if b := l.busyOf(c.slot); b != nil {
			t.Errorf("after the last message it holds %+v", b)
		}
	}
}

// slowPage is a connection whose peer has taken only a part of a page.
func slowPage(t *testing.T, edit func(*Config)) (c stillConn, body []byte) {
	t.Helper()
	body = bytes.Repeat([]byte("page"), 1<<19)
	l := still(t, limited(func(config *Config) {
		config.Routes = compiled(t, map[string]websocket.Route{"/": {HTTP: func(w *websocket.Response, _ *websocket.Request) error {
			w.Body = body
			return nil
		}}})
		edit(config)
	}))
	c = connect(t, l)
	c.sends([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	if c.busy == 0 || l.busyOf(c.slot).out == nil {
		t.Fatal("the socket took all of the page")
	}
	return c, body
}

// takes takes what the socket has and lets the loop send on.
func (c stillConn) takes() (n int) {
	n = len(c.receives())
	if err := c.l.event(c.fd, unix.EPOLLOUT); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// takesAll takes until nothing waits to be sent, and what the socket has then.
func (c stillConn) takesAll() (n int) {
	for c.is(c.l) && c.l.behind(c.slot) {
		n += c.takes()
	}
	return n + len(c.receives())
}

// TestPageOutlastsHTTPIdle: a client that is slow to take a page is not one that
// waits between two requests: that time begins when the page has left.
func TestPageOutlastsHTTPIdle(t *testing.T) {
	c, body := slowPage(t, func(config *Config) { config.HTTPIdle = 300 * time.Millisecond })
	got := 0
	for range 3 {
		later(t, c.l, 200*time.Millisecond)
		got += c.takes()
	}
	if got += c.takesAll(); got < len(body) || !c.is(c.l) {
		t.Fatalf("got %d bytes, want those of the page, %d, and a connection", got, len(body))
	}
	later(t, c.l, 200*time.Millisecond)
	if !c.is(c.l) {
		t.Error("ended before its time between two requests was over")
	}
	later(t, c.l, 200*time.Millisecond)
	if c.is(c.l) || c.l.stats.Timeouts[TimeoutHTTPIdle] != 1 {
		t.Errorf("it lives on after that time; timeouts %v", c.l.stats.Timeouts)
	}
}

// TestPageOutlastsDrain: a page that has begun to leave is sent to its end before its
// connection is sent away.
func TestPageOutlastsDrain(t *testing.T) {
	c, body := slowPage(t, func(config *Config) { config.Drain = 100 * time.Millisecond })
	c.l.beginDrain()
	got := 0
	for range 3 {
		later(t, c.l, 200*time.Millisecond)
		got += c.takes()
	}
	if got += c.takesAll(); got < len(body) {
		t.Errorf("got %d bytes, want those of the page, %d", got, len(body))
	}
	_ = unix.Shutdown(c.peer, unix.SHUT_WR)
	_ = c.l.event(c.fd, unix.EPOLLIN|unix.EPOLLRDHUP)
	if c.is(c.l) || c.l.stats.Closed[websocket.CauseGoingAway] != 1 {
		t.Errorf("it was not sent away: %v", c.l.stats.Closed)
	}
}
