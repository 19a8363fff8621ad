package poller

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// turn is what has come of one event of a connection, and is still to be done.
type turn struct {
	rest  []byte        // input that Receive did not consume
	head  []byte        // output that leaves before out
	out   []byte        // output
	errno syscall.Errno // of the send
	err   error         // why the connection ends
	up    bool          // it had got its 101 before
	more  bool          // the socket may hold more: no event will say so
	whole bool          // rest holds whole frames
}

// transmit sends head and out, or as much as the socket takes; what is left
// stays in t. Behind a backlog nothing is sent: order.
func (l *loop) transmit(fd int, s *slot, t *turn) {
	b := l.busyOf(s)
	if b != nil && b.tls != nil {
		l.seal(fd, s, b, t)
		return
	}
	if b != nil && len(b.out) > 0 || len(t.head)+len(t.out) == 0 {
		return
	}
	var n int
	switch {
	case len(t.head) == 0:
		n, t.errno = send(fd, &t.out[0], len(t.out))
	case len(t.out) == 0:
		n, t.errno = send(fd, &t.head[0], len(t.head))
	default:
		n, t.errno = l.vec.sendmsg(fd, t.head, t.out)
	}
	if t.errno == 0 {
		k := min(n, len(t.head))
		t.head, t.out = t.head[k:], t.out[n-k:]
	}
}

// settle ends an event: what was not sent becomes the backlog, what was not
// consumed is kept, and the connection goes on, waits, or ends.
func (l *loop) settle(fd int, s *slot, t turn) {
	if !t.up {
		l.upgraded(s)
	}
	if t.errno != 0 && t.errno != unix.EAGAIN && t.errno != unix.EINTR {
		l.conn.Sent()
		l.finish(fd, s, websocket.ErrReset)
		return
	}
	l.setAside(fd, s, &t)
	l.conn.Sent()
	if t.err != nil {
		l.failed(fd, s, t.err)
		return
	}
	b := l.busyOf(s)
	if b != nil && b.fin != finNone { // a handler called End
		l.ending(fd, s, b.fin, websocket.CloseError{})
		return
	}
	if len(t.rest) > 0 {
		b = l.keep(fd, s, t.rest)
		b.whole = t.whole
	}
	if s.ws.Closing() {
		if b = l.work(fd, s); b.until == 0 {
			b.until = l.after(l.limits(s).CloseTimeout)
			l.recount(s, b, StateClosing)
		}
	}
	l.goOn(fd, s, t.more)
}

// goOn arranges for what no event will come for. The rest of a large frame is
// read in the same turn: its memory is in the cache.
func (l *loop) goOn(fd int, s *slot, more bool) {
	if more && !l.chained && l.roomFor(s) {
		l.chained = true
		l.read(fd, s, false)
		l.chained = false
		return
	}
	if b := l.busyOf(s); b != nil || more {
		b = l.work(fd, s)
		b.pending = b.pending || more
		if (b.pending || b.whole) && !b.full && !s.ws.Held() {
			l.requeue(fd, s)
		}
	}
	l.rest(fd, s)
}

// roomFor reports whether a large frame is under way that may be read on.
func (l *loop) roomFor(s *slot) bool {
	b := l.busyOf(s)
	if b == nil || b.whole || b.full || b.fin != finNone || s.ws.Held() {
		return false
	}
	p, _ := l.conn.Room()
	return p != nil
}

// upgraded notes what a turn before the upgrade led to.
func (l *loop) upgraded(s *slot) {
	switch {
	case s.ws.Upgraded():
		s.opened = l.tick
		l.stats.Upgrades++
		l.halfOpen.Add(-1)
		l.countUpgrade(s)
	case s.ws.Served():
		s.opened = l.tick // the time until the next request begins
	}
}

// setAside makes what a turn has not sent the backlog.
func (l *loop) setAside(fd int, s *slot, t *turn) {
	if len(t.head)+len(t.out) == 0 {
		return
	}
	l.backlog(fd, s, t.head, t.out)
	if t.errno == unix.EINTR { // no event will come for it
		l.requeue(fd, s)
	}
}

// backlog sets output aside that the socket did not take.
func (l *loop) backlog(fd int, s *slot, head, out []byte) {
	b := l.work(fd, s)
	if len(b.out) == 0 {
		b.progress, b.unacked = l.tick, 0
		if first := len(head) > 0; first || len(out) > 0 {
			head, out = l.takeOut(b, first, head, out)
		}
	}
	if need := len(b.out) + len(head) + len(out); need > cap(b.out) {
		grown := append(l.Alloc(max(need, 2*(len(b.out)-b.off))), b.out[b.off:]...)
		l.Free(b.out)
		b.out, b.off = grown, 0
	}
	b.out = append(append(b.out, head...), out...)
	l.marks(s, b)
}

// takeOut makes the memory in which a large reply lies the backlog, and returns what
// does not lie there.
func (l *loop) takeOut(b *busy, first bool, head, out []byte) (_, _ []byte) {
	reply := out
	if first {
		reply = head
	}
	m, at := l.conn.Adopt(first, len(reply))
	switch {
	case m == nil:
		return head, out
	case first:
		head = nil
	default:
		out = nil
	}
	b.out, b.off = m, at
	return head, out
}

// marks compares the backlog with the water marks.
func (l *loop) marks(s *slot, b *busy) {
	n := len(b.out) - b.off
	l.stats.Backlog += n - b.work.Backlog
	b.work.Backlog = n
	lim := l.limits(s)
	was := b.full
	switch {
	case lim.HighWater > 0 && n > lim.HighWater:
		b.full = true
	case n <= max(lim.LowWater, 0):
		b.full = false
	}
	if b.full != was {
		s.setFull(b.full)
		if b.full {
			l.stats.Paused++
			l.stats.Pauses++
			l.recount(s, b, StatePaused)
		} else {
			l.stats.Paused--
			l.recount(s, b, StateOpen)
		}
	}
}

// drainOut sends from the backlog. It reports whether reading may go on.
func (l *loop) drainOut(fd int, s *slot, b *busy) bool {
	n, errno := send(fd, &b.out[b.off], len(b.out)-b.off)
	switch {
	case errno == unix.EINTR:
		l.requeue(fd, s)
		return !b.full
	case errno == unix.EAGAIN:
		return !b.full
	case errno != 0:
		l.finish(fd, s, websocket.ErrReset)
		return false
	}
	b.off += n
	b.progress, s.heard = l.tick, l.tick // the peer's kernel has acknowledged some
	if b.off == len(b.out) {
		l.Free(b.out)
		b.out, b.off = nil, 0
		if s.ws.Served() {
			s.opened = l.tick // the time until the next request begins
		}
	}
	was := b.full
	l.marks(s, b)
	if was && !b.full {
		b.work.Restart(l.Now())
		b.pending = true // the edge may have passed while it was not read
	}
	if b.fin != finNone && len(b.out) == 0 {
		l.conclude(fd, s, b)
		return false
	}
	if len(b.out) == 0 && !b.pending && !b.whole {
		l.rest(fd, s)
		return s.is(l)
	}
	return !b.full
}

// failed maps why the connection ends to how its transport ends.
func (l *loop) failed(fd int, s *slot, err error) {
	if refusal, ok := errors.AsType[*websocket.Refusal](err); ok {
		l.stats.Rejected[refusal.Label]++
		l.stats.Statuses[statusOf(refusal.Status)]++
	}
	l.report(l.conn.Pattern(), err)
	how := finLinger
	end, _ := errors.AsType[websocket.CloseError](err)
	if end.Peer {
		how = finClose
	}
	if b := l.busyOf(s); b != nil && b.fin == finReset { // a handler called End, then failed
		how = finReset
	}
	l.ending(fd, s, how, end)
}

// endOfStream ends a connection whose peer has sent FIN: what is owed to it is
// sent before (half-close), what it had begun is dropped.
func (l *loop) endOfStream(fd int, s *slot) {
	b := l.busyOf(s)
	if b == nil || len(b.out) == 0 {
		l.finish(fd, s, websocket.ErrEOF)
		return
	}
	b.pending = false
	l.ending(fd, s, finClose, websocket.ErrEOF)
}

// ending ends the connection once its backlog is sent.
func (l *loop) ending(fd int, s *slot, how fin, cause websocket.CloseError) {
	b := l.work(fd, s)
	if how == finReset {
		l.cut(fd, s, cause)
		return
	}
	b.fin, b.cause = how, cause
	l.recount(s, b, StateClosing)
	if len(b.out) == 0 {
		l.conclude(fd, s, b)
		return
	}
	l.schedule(fd, s)
}

// conclude ends TCP, the backlog being sent. Closing with unread input would
// make the kernel send RST, which can eat the close frame: after a failure the
// peer may still be sending, so its bytes are discarded for a while.
func (l *loop) conclude(fd int, s *slot, b *busy) {
	l.sayClosed(fd, s, b)
	if b.fin == finClose {
		l.finish(fd, s, b.cause)
		return
	}
	_ = unix.Shutdown(fd, unix.SHUT_WR)
	b.linger, b.until = lingerBytes, l.after(lingerTime)
	if b.fin == finHalf {
		b.linger, b.until = halfBytes, l.after(halfTime)
	}
	l.Free(b.in)
	b.in, b.whole, b.fin = nil, false, finNone
	l.discard(fd, s, b)
}

// discard reads and drops what a lingering peer sends, one read a turn.
func (l *loop) discard(fd int, s *slot, b *busy) {
	n, errno := recv(fd, &l.buf[0], min(b.linger, readHead))
	switch {
	case errno == unix.EAGAIN:
		b.pending = false
		l.schedule(fd, s)
	case errno != 0 && errno != unix.EINTR, n == 0:
		l.finish(fd, s, b.cause)
	case n == b.linger:
		l.cut(fd, s, b.cause)
	default:
		b.linger -= max(n, 0)
		l.requeue(fd, s)
	}
}

// cut ends a connection at once: its kernel buffers are dropped.
func (l *loop) cut(fd int, s *slot, cause websocket.CloseError) {
	reset(fd)
	l.finish(fd, s, cause)
}

// finish is the end of every connection: what it held goes back, it is counted,
// and its descriptor is closed. The owner is cleared before close(2): after
// that the number belongs to somebody else.
func (l *loop) finish(fd int, s *slot, cause websocket.CloseError) {
	l.bind(fd, s)
	route := l.conn.Pattern() // Release may end the table that it stands in
	counted, err := l.conn.Release(cause)
	l.report(route, err)
	l.stats.Closed[counted]++
	l.rowOf(s)[l.counted(s)]--
	l.dropTimers(s)
	if b := l.busyOf(s); b != nil { // Route.Close may have made one
		l.Free(b.in)
		l.Free(b.out)
		l.stats.Backlog -= b.work.Backlog
		if b.full {
			l.stats.Paused--
		}
		if b.tls != nil {
			l.forgetTLS(b.tls)
		}
		l.giveBack(s, b)
	}
	l.wheel.remove(connRef(fd))
	if !s.ws.Upgraded() {
		l.halfOpen.Add(-1)
	}
	if s.ws.Refused() {
		l.srv.refused.Add(-1)
	}
	if p := l.identityOf(fd, s); p != nil {
		l.srv.addresses.leave(p)
		if l.srv.access != nil {
			l.logAccess(fd, s, p, access{route: route, cause: counted}, cause)
		}
	}
	s.free()
	_ = unix.Close(fd)
	l.count.Add(-1)
	l.srv.freed()
}
