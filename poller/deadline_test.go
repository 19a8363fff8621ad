package poller

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

func TestTicks(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want uint32
	}{
		{math.MinInt64, 0}, {-time.Second, 0}, {0, 0},
		{1, 1}, {10 * time.Millisecond, 1}, {10*time.Millisecond + 1, 2}, {time.Second, 100},
		{maxDeadline, 240 * 24 * 3600 * 100},
		{300 * 24 * time.Hour, 240 * 24 * 3600 * 100}, {math.MaxInt64, 240 * 24 * 3600 * 100},
	} {
		if got := ticks(tt.d); got != tt.want {
			t.Errorf("ticks(%s) = %d, want %d", tt.d, got, tt.want)
		}
	}
}

// TestSpread: a connection's own moment is within 10 % of the time that was
// asked for, all of that is used, and none is too far off to be compared.
func TestSpread(t *testing.T) {
	for _, d := range []time.Duration{tickTime, 100 * time.Millisecond, time.Second, 50 * time.Second, 24 * time.Hour, 200 * 24 * time.Hour, maxDeadline, -1} {
		exact := float64(ticks(d))
		low, high := spread(d, 0), spread(d, 1<<16-1)
		if low < 1 || float64(low) < exact*0.9-1 || high > uint32(maxDeadline/tickTime) || float64(high) > max(exact*1.1, 1) {
			t.Errorf("%s: %d to %d ticks, want %.0f ± 10 %%", d, low, high, exact)
		}
		if d >= time.Second && d < 200*24*time.Hour && (float64(low) > exact*0.9 || float64(high) < exact*1.0999-1) {
			t.Errorf("%s: %d to %d ticks does not use the whole of %.0f ± 10 %%", d, low, high, exact)
		}
		last := low
		for j := uint32(0); j < 1<<16; j += 97 {
			if n := spread(d, j); n < last {
				t.Fatalf("%s: %d ticks at jitter %d, %d before", d, n, j, last)
			} else {
				last = n
			}
		}
	}
}

// nextCase is one state of a connection: opened at tick 0, heard of at tick
// 100, looked at at tick 200, all from where the clock stands.
type nextCase struct {
	name    string
	limits  func(*Config)
	plain   bool              // it has not asked for an upgrade
	prepare func(c stillConn) // at tick 100; what it receives is read
	adjust  func(c stillConn) // at tick 200
	want    deadline
	tick    func(c stillConn) uint32
}

func at(tick uint32) func(stillConn) uint32 { return func(stillConn) uint32 { return tick } }

func everyLimit(c *Config) {
	c.Limits.PingInterval, c.Limits.IdleTimeout, c.Limits.MaxLifetime = 50*time.Second, 120*time.Second, time.Hour
	c.Limits.MessageTimeout, c.Limits.StallTimeout, c.Limits.CloseTimeout = time.Minute, 30*time.Second, 5*time.Second
	c.HandshakeTimeout, c.HTTPIdle = 10*time.Second, 15*time.Second
}

func briefMessages(c *Config) {
	everyLimit(c)
	c.Limits.MessageTimeout = 5 * time.Second
}

// partly is a message of which parts are sent.
func partly(n int) []byte { return masked(ws.OpBinary, make([]byte, n), true) }

func hold(c stillConn) {
	c.l.call(c.fd, c.slot, func(c *websocket.Conn) error { c.Pause(); return nil })
}
func fragment(c stillConn) {
	c.sends(ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpText, false, []byte("begun")))))
}
func sendAway(c stillConn) { c.l.call(c.fd, c.slot, goAway) }

var nextCases = []nextCase{
	{name: "request", limits: everyLimit, plain: true, want: handshakeOver, tick: at(1000)},
	{name: "request, no bound", plain: true, want: never},
	{name: "between two requests", limits: everyLimit, plain: true,
		prepare: func(c stillConn) { c.sends([]byte("GET /page HTTP/1.1\r\nHost: x\r\n\r\n")) },
		want:    handshakeOver, tick: at(100 + 1500)},
	{name: "later request begun", limits: everyLimit, plain: true,
		prepare: func(c stillConn) { c.sends([]byte("GET /page HTTP/1.1\r\nHost: x\r\n\r\n")); c.sends([]byte("GET")) },
		want:    handshakeOver, tick: at(100 + 1000)},
	{name: "no limits", want: never},
	{name: "ping", limits: everyLimit, want: pingDue, tick: func(c stillConn) uint32 { return 100 + spread(50*time.Second, c.jitter(c.fd)) }},
	{name: "second ping", limits: everyLimit, want: pingDue,
		adjust: func(c stillConn) { c.l.tick = c.heard + 2*spread(50*time.Second, c.jitter(c.fd)) - 1 },
		tick:   func(c stillConn) uint32 { return 100 + 2*spread(50*time.Second, c.jitter(c.fd)) }},
	{name: "idle after two pings", limits: everyLimit, want: idleOver,
		adjust: func(c stillConn) { c.l.tick = c.heard + 2*spread(50*time.Second, c.jitter(c.fd)) + 1 },
		tick:   at(100 + 12000)},
	{name: "lifetime", limits: func(c *Config) { everyLimit(c); c.Limits.MaxLifetime = 30 * time.Second }, want: lifetimeOver,
		tick: func(c stillConn) uint32 { return spread(30*time.Second, c.jitter(c.fd)) }},
	{name: "held: ping and idle rest", limits: everyLimit, prepare: hold, want: lifetimeOver,
		tick: func(c stillConn) uint32 { return spread(time.Hour, c.jitter(c.fd)) }},
	{name: "message", limits: briefMessages, prepare: fragment, want: messageOver, tick: at(100 + 500)},
	{name: "message that drips in, short", limits: briefMessages, prepare: func(c stillConn) { c.sends(partly(100)[:9]) },
		adjust: func(c stillConn) { c.sends(partly(100)[9:10]) }, want: messageOver, tick: at(100 + 500)},
	{name: "message that drips in, long", limits: briefMessages, prepare: func(c stillConn) { c.sends(partly(1 << 17)[:20]) },
		adjust: func(c stillConn) { c.sends(partly(1 << 17)[20:21]) }, want: messageOver, tick: at(100 + 500)},
	{name: "message of fragments", limits: briefMessages, prepare: fragment, adjust: func(c stillConn) { c.sends(masked(ws.OpContinuation, []byte("more"), false)) },
		want: messageOver, tick: at(100 + 500)},
	{name: "message, not read for its backlog", limits: briefMessages, prepare: fragment,
		adjust: func(c stillConn) { c.l.busyOf(c.slot).full = true },
		want:   pingDue, tick: func(c stillConn) uint32 { return 100 + spread(50*time.Second, c.jitter(c.fd)) }},
	{name: "backlog", limits: everyLimit, adjust: func(c stillConn) { c.l.work(c.fd, c.slot).out = c.l.pool.get(1)[:1] }, want: stallDue, tick: at(200 + stallLook)},
	{name: "backlog, no stall time", adjust: func(c stillConn) { c.l.work(c.fd, c.slot).out = c.l.pool.get(1)[:1] }, want: never},
	{name: "earlier backlog", limits: everyLimit, adjust: func(c stillConn) { c.l.work(c.fd, c.slot).progress = c.l.tick }, want: memoryOver, tick: at(200 + backlogMemory + 1)},
	{name: "closing", limits: everyLimit, prepare: sendAway, want: closeOver, tick: at(100 + 500)},
	{name: "closing while draining", limits: func(c *Config) { everyLimit(c); c.Drain = time.Second }, prepare: sendAway,
		adjust: func(c stillConn) { c.l.draining = c.l.tick }, want: closeOver, tick: at(100 + 500)},
	{name: "draining", limits: func(c *Config) { everyLimit(c); c.Drain = 8 * time.Second }, want: drainDue,
		adjust: func(c stillConn) { c.l.draining = c.l.tick },
		tick:   func(c stillConn) uint32 { return 200 + 800*c.jitter(c.fd)>>16 }},
}

func TestNext(t *testing.T) {
	for _, tt := range nextCases {
		// Ticks wrap: what is compared must not care where the clock stands.
		for _, base := range []uint32{1 << 20, 1<<32 - 150, 1<<32 - 1100, 1<<31 - 150} {
			t.Run(fmt.Sprint(tt.name, ", from ", base), func(t *testing.T) { tt.run(t, base) })
		}
	}
}

func (tt nextCase) run(t *testing.T, base uint32) {
	l := still(t, limited(tt.limits))
	l.tick, l.armed = base, true
	begin := open
	if tt.plain {
		begin = connect
	}
	c := begin(t, l)
	l.tick = base + 100
	c.heard = l.tick
	if tt.prepare != nil {
		tt.prepare(c)
		c.receives()
	}
	l.tick = base + 200
	if tt.adjust != nil {
		tt.adjust(c)
	}
	got := l.next(c.fd, c.slot)
	l.draining = 0
	if got.what != tt.want || tt.want != never && got.tick-base != tt.tick(c) {
		t.Errorf("deadline %d at %d, want %d", got.what, got.tick-base, tt.want)
		if tt.tick != nil {
			t.Errorf("want it at %d", tt.tick(c))
		}
	}
}
