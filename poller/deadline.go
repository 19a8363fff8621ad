package poller

import (
	"time"

	"echogate/poller/websocket"
)

const (
	lingerTime  = 2 * time.Second // limits.md D4
	lingerBytes = 64 << 10
	// halfTime and halfBytes are the same of a connection that a handler has
	// half-closed, to see what the peer makes of that.
	halfTime  = time.Minute
	halfBytes = 1 << 30
	// backlogMemory is for how long after a backlog a connection is read in
	// small pieces: 10 s.
	backlogMemory = 10 * ticksPerSecond
	// controlWindow is the 10 s of the control-frame budget.
	controlWindow = 10 * ticksPerSecond
	// stallLook is how often a backlog is looked at.
	stallLook = ticksPerSecond
	// lateTicks is how late a tick must be for expiries to wait for one more,
	// in which what came meanwhile is read: 1 s.
	lateTicks = ticksPerSecond
)

// deadline is what a connection's nearest deadline is for.
type deadline uint8

const (
	never deadline = iota
	handshakeOver
	lifetimeOver
	pingDue
	idleOver
	stallDue
	messageOver
	closeOver
	drainDue
	memoryOver // of an earlier backlog
)

func connRef(fd int) ref { return ref(fd + 1) }

// link is the wheel's way from a ref to its entry.
func (l *loop) link(r ref) *link {
	if r > 0 {
		return &l.table.at(int(r - 1)).link
	}
	return &l.timers[-r-1].link
}

// limits are those of the connection's route.
func (l *loop) limits(s *slot) *websocket.Limits {
	return l.conn.LimitsOf(&s.ws)
}

// ticks is d in ticks, rounded up. What is longer than maxDeadline, which a
// handler or a route may ask for, is cut to it: it could not be compared.
func ticks(d time.Duration) uint32 {
	d = min(max(d, 0), maxDeadline)
	return uint32((d + tickTime - 1) / tickTime)
}

// after is the tick d from now. A limit that is off is never.
func (l *loop) after(d time.Duration) uint32 {
	if d <= 0 {
		d = maxDeadline
	}
	return max(l.tick+ticks(d), 1)
}

// nearest keeps the earliest of a connection's deadlines.
type nearest struct {
	tick uint32
	what deadline
}

func (n *nearest) add(tick uint32, what deadline) {
	if n.what == never || before(tick, n.tick) {
		n.tick, n.what = tick, what
	}
}

// next is the connection's nearest deadline. Nothing of it is kept: what moves
// a deadline only changes what is computed here.
func (l *loop) next(fd int, s *slot) nearest {
	var n nearest
	b := l.busyOf(s)
	switch {
	case b != nil && b.until != 0:
		n.add(b.until, closeOver)
	case !s.ws.Upgraded() && !s.ws.Ended() && !s.ws.Held(): // held: Conn.Wait has its whole request
		if d := l.requestTime(s, b); d > 0 {
			n.add(s.opened+ticks(d), handshakeOver)
		}
	}
	lim := l.limits(s)
	if b != nil && len(b.out) > 0 && lim.StallTimeout > 0 {
		n.add(l.tick+stallLook, stallDue)
	}
	if b != nil && b.progress != 0 && len(b.out) == 0 {
		n.add(b.progress+backlogMemory+1, memoryOver)
	}
	if s.ws.Open() {
		l.nextOpen(fd, s, b, lim, &n)
	}
	if l.draining != 0 && !s.ws.Closing() && !s.ws.Ended() && (b == nil || b.fin == finNone) {
		n.add(l.leaves(fd, s), drainDue)
	}
	return n
}

// leaves is the tick at which the drain comes to a connection. One whose request
// may be under way has all the time that there is.
func (l *loop) leaves(fd int, s *slot) uint32 {
	over := ticks(l.srv.conf().Drain)
	if !s.ws.Upgraded() && !s.ws.Served() {
		return l.draining + over
	}
	return l.draining + uint32(uint64(over)*uint64(s.jitter(fd))>>16)
}

// requestTime is how long the connection may take for a whole request: from
// accept, or from a later request's first byte; or to begin that one, which nobody
// has to while the answer to the last is on its way.
func (l *loop) requestTime(s *slot, b *busy) time.Duration {
	switch {
	case s.ws.Served() && b != nil && len(b.out) > 0:
		return 0
	case s.ws.Served():
		return l.srv.conf().HTTPIdle
	}
	return l.srv.conf().HandshakeTimeout
}

// nextOpen adds the deadlines of an open connection. While a handler or a job
// pauses reading the peer cannot show life: they rest, and begin anew.
func (l *loop) nextOpen(fd int, s *slot, b *busy, lim *websocket.Limits, n *nearest) {
	if lim.MaxLifetime > 0 {
		n.add(s.opened+spread(lim.MaxLifetime, s.jitter(fd)), lifetimeOver)
	}
	if s.ws.Held() {
		return
	}
	if lim.IdleTimeout > 0 {
		n.add(s.heard+ticks(lim.IdleTimeout), idleOver)
	}
	if lim.PingInterval > 0 {
		every := spread(lim.PingInterval, s.jitter(fd))
		n.add(s.heard+((l.tick-s.heard)/every+1)*every, pingDue)
	}
	if b != nil && !b.full && lim.MessageTimeout > 0 {
		if began, ok := b.work.Began(); ok {
			n.add(uint32(began/tickTime)+ticks(lim.MessageTimeout), messageOver)
		}
	}
}

// spread is d in ticks, ± 10 % by a connection's jitter, at least 1 and at most
// maxDeadline.
func spread(d time.Duration, jitter uint32) uint32 {
	t := uint64(ticks(d))
	t = t*9/10 + t*uint64(jitter)/5>>16
	return uint32(min(max(t, 1), uint64(maxDeadline/tickTime)))
}

// schedule files the connection at its nearest deadline if that is earlier than
// what it is filed at; one that moved later is filed again when it comes up.
func (l *loop) schedule(fd int, s *slot) {
	n := l.next(fd, s)
	if n.what != never && (s.filed == 0 || before(n.tick, s.filed)) {
		l.wheel.file(connRef(fd), n.tick)
	}
}

// expire looks at an entry that has come up.
func (l *loop) expire(r ref, passed uint32) {
	if r < 0 {
		l.fire(uint32(-r - 1))
		return
	}
	fd := int(r - 1)
	s := l.table.at(fd)
	if !s.is(l) || s.filed != 0 { // it ended, or was filed again, in this tick
		return
	}
	if l.late != 0 && !before(s.heard, l.late) {
		s.heard = l.tick // its tick stood still while the loop was away: this may be of now
	}
	if l.pingPassed(fd, s, passed) {
		l.call(fd, s, ping)
		if !s.is(l) { // its socket is gone, and the slot may be another loop's now
			return
		}
	}
	if n := l.overdue(fd, s); n != never {
		l.act(fd, s, n)
	}
	if s.is(l) && s.filed == 0 {
		l.schedule(fd, s)
	}
}

// pingPassed reports whether a ping fell due in the ticks that passed.
func (l *loop) pingPassed(fd int, s *slot, passed uint32) bool {
	every := l.limits(s).PingInterval
	if !s.ws.Open() || s.ws.Held() || every <= 0 {
		return false
	}
	silent := l.tick - s.heard
	t := spread(every, s.jitter(fd))
	return silent/t > 0 && silent%t < passed
}

// overdue is a deadline of the connection that has passed, never a ping: next
// tells of those to come.
func (l *loop) overdue(fd int, s *slot) deadline {
	b := l.busyOf(s)
	if b != nil && len(b.out) > 0 && l.stalled(fd, s, b) {
		return stallDue
	}
	n := l.next(fd, s)
	if n.what == never || before(l.tick, n.tick) {
		return never
	}
	return n.what
}

// stalled looks whether the backlog makes progress: the socket took bytes, or
// the peer's kernel acknowledged some. The first look has nothing to compare
// with: a stall time shorter than the time between two waits for the second.
func (l *loop) stalled(fd int, s *slot, b *busy) bool {
	first := b.unacked == 0
	if q := unacked(fd); q != b.unacked {
		if q < b.unacked {
			b.progress, s.heard = l.tick, l.tick
		}
		b.unacked = q
	}
	stall := l.limits(s).StallTimeout
	return stall > 0 && !first && !before(l.tick, b.progress+ticks(stall))
}

// act does what a deadline is for.
func (l *loop) act(fd int, s *slot, what deadline) {
	l.countTimeout(s, what)
	switch what {
	case handshakeOver:
		l.timedOut(fd, s)
	case closeOver:
		b := l.busyOf(s)
		if b.linger > 0 {
			l.cut(fd, s, b.cause)
			return
		}
		l.cut(fd, s, websocket.ErrCloseTimeout)
	case stallDue:
		l.cut(fd, s, websocket.ErrSlowReader)
	case lifetimeOver:
		l.call(fd, s, lifetime)
	case idleOver:
		l.call(fd, s, idle)
	case messageOver:
		l.call(fd, s, message)
	case drainDue:
		l.drainOne(fd, s)
	case memoryOver:
		b := l.busyOf(s)
		b.progress = 0
		l.rest(fd, s)
	}
}

// timedOut ends a connection that has sent no whole request. One that waits
// between two requests has done nothing wrong.
func (l *loop) timedOut(fd int, s *slot) {
	if s.ws.Served() {
		l.finish(fd, s, websocket.ErrHTTPDone)
		return
	}
	if b := l.busyOf(s); b != nil && b.tls != nil && !b.tls.open && !b.preface {
		l.stats.Rejected[websocket.RejectTLSTimeout]++
	}
	l.finish(fd, s, websocket.ErrHandshakeTimeout)
}

// What the loop calls on a connection of itself. A ping that the backlog has no
// room for is not sent: the stall time watches such a peer. Shut fails only on
// a connection that is closing already.
func ping(c *websocket.Conn) error     { _ = c.Ping(); return nil }
func idle(c *websocket.Conn) error     { _ = c.Shut(websocket.ErrIdle); return nil }
func lifetime(c *websocket.Conn) error { _ = c.Shut(websocket.ErrLifetime); return nil }
func goAway(c *websocket.Conn) error   { _ = c.Shut(websocket.ErrGoingAway); return nil }
func restart(c *websocket.Conn) error  { _ = c.Shut(websocket.ErrRestart); return nil }
func message(*websocket.Conn) error    { return websocket.ErrMessageTimeout }

// drainOne sends a connection away. A message whose job is under way has been
// taken: its answer leaves before. So does a page that is on its way.
func (l *loop) drainOne(fd int, s *slot) {
	switch {
	case s.ws.Working():
	case s.ws.Upgraded():
		l.call(fd, s, l.farewell())
	case l.behind(s):
		l.ending(fd, s, finLinger, websocket.ErrGoingAway)
	default:
		l.finish(fd, s, websocket.ErrGoingAway)
	}
}
