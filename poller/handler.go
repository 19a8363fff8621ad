package poller

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file is the loop and package websocket: how the one calls the other.
var _ websocket.Loop = (*loop)(nil)

// bind makes the loop's Conn the view of a connection.
func (l *loop) bind(fd int, s *slot) {
	l.enter(fd)
	if b := l.busyOf(s); b != nil {
		l.conn.Bind(uint64(fd), &s.ws, &b.work)
		return
	}
	l.conn.Bind(uint64(fd), &s.ws, nil)
}

// call runs f on a connection outside a read, and sends what comes of it.
func (l *loop) call(fd int, s *slot, f func(*websocket.Conn) error) {
	if s.ws.Ended() {
		return
	}
	l.bind(fd, s)
	t := turn{up: s.ws.Upgraded()}
	t.out, t.err = l.conn.Call(f)
	l.transmit(fd, s, &t)
	l.settle(fd, s, t)
}

// Now implements websocket.Loop: the server's age at the last tick. Unlike ticks it
// does not wrap.
func (l *loop) Now() time.Duration {
	return time.Duration(uint64(l.era)<<32|uint64(l.tick)) * tickTime
}

// Alloc implements websocket.Loop.
func (l *loop) Alloc(n int) []byte { return l.pool.get(n) }

// Free implements websocket.Loop.
func (l *loop) Free(b []byte) { l.pool.put(b) }

func (l *loop) of(c *websocket.Conn) (fd int, s *slot) {
	l.check()
	fd = int(c.ID())
	return fd, l.table.at(fd)
}

// Found implements websocket.Loop: a handler that blocks will be named.
func (l *loop) Found(c *websocket.Conn, route int) {
	_, s := l.of(c)
	s.setName(l.names[route])
}

// Work implements websocket.Loop.
func (l *loop) Work(c *websocket.Conn) *websocket.Work {
	fd, s := l.of(c)
	return &l.work(fd, s).work
}

// Flush implements websocket.Loop.
func (l *loop) Flush(c *websocket.Conn) error {
	fd, s := l.of(c)
	t := turn{head: l.head, out: c.Output()}
	l.head = nil
	l.transmit(fd, s, &t)
	l.setAside(fd, s, &t) // a failed send shows again at the next
	c.Sent()
	return nil
}

// Ready implements websocket.Loop: silence begins anew, and what was not read
// meanwhile is.
func (l *loop) Ready(c *websocket.Conn) {
	fd, s := l.of(c)
	s.heard = l.tick
	b := l.work(fd, s)
	b.pending = true
	b.work.Restart(l.Now())
	l.requeue(fd, s)
}

// After implements websocket.Loop.
func (l *loop) After(c *websocket.Conn, d time.Duration, f func(*websocket.Conn) error) websocket.Timer {
	fd, s := l.of(c)
	return l.newTimer(fd, s, d, f)
}

// StopTimer implements websocket.Loop.
func (l *loop) StopTimer(t websocket.Timer) bool {
	if int(t.ID) >= len(l.timers) || l.timers[t.ID].use != t.Gen || l.timers[t.ID].f == nil {
		return false
	}
	l.freeTimerAt(t.ID)
	return true
}

// Go implements websocket.Loop.
func (l *loop) Go(c *websocket.Conn, job func() func(*websocket.Conn) error) error {
	h := l.Handle(c)
	l.interest.handed = true
	return l.srv.jobs.start(func() {
		answer := run(job)
		_ = l.mail.post(l, letter{kind: letterAnswer, to: h, f: answer})
	})
}

// End implements websocket.Loop: settle sees it when the event is over.
func (l *loop) End(c *websocket.Conn, how websocket.End) {
	fd, s := l.of(c)
	b := l.work(fd, s)
	switch how {
	case websocket.Reset:
		b.fin = finReset
	case websocket.HalfClose:
		b.fin = finHalf
	default:
		b.fin = finLinger
	}
}

// Remote implements websocket.Loop.
func (l *loop) Remote(c *websocket.Conn) netip.AddrPort {
	fd, s := l.of(c)
	if p := l.identityOf(fd, s); p != nil {
		return p.remote()
	}
	return remote(fd)
}

// TLS implements websocket.Loop.
func (l *loop) TLS(c *websocket.Conn) (websocket.TLS, bool) {
	_, s := l.of(c)
	if b := l.busyOf(s); b != nil && b.tls != nil && b.tls.open {
		return b.tls.facts(), true
	}
	return websocket.TLS{}, false
}

// Local implements websocket.Loop.
func (l *loop) Local(c *websocket.Conn) netip.AddrPort {
	fd, _ := l.of(c)
	return local(fd)
}

// Handle implements websocket.Loop.
func (l *loop) Handle(c *websocket.Conn) websocket.Handle {
	fd, s := l.of(c)
	return websocket.NewHandle(l, int32(fd), s.generation())
}

// PostSend implements websocket.Loop, for any goroutine.
func (l *loop) PostSend(h websocket.Handle, op ws.OpCode, p []byte) error {
	if err := l.alive(h, true); err != nil {
		return err
	}
	return l.charge(letter{kind: letterSend, to: h, op: op}, p)
}

// PostDo implements websocket.Loop, for any goroutine.
func (l *loop) PostDo(h websocket.Handle, f func(*websocket.Conn) error) error {
	if err := l.alive(h, false); err != nil {
		return err
	}
	return l.charge(letter{kind: letterDo, to: h, f: f}, nil)
}

// charge posts x with a copy of p. It counts to MaxBuffered until it is delivered.
func (l *loop) charge(x letter, p []byte) error {
	size, most := int64(letterSize+len(p)), l.srv.conf().MaxBuffered
	if l.srv.posted.Add(size) > most && most > 0 {
		l.srv.posted.Add(-size)
		return websocket.ErrBacklog
	}
	x.payload = bytes.Clone(p)
	err := l.mail.post(l, x)
	if err != nil {
		l.srv.posted.Add(-size)
	}
	return err
}

// alive looks at the slot's owner word: is h's connection still there, and does
// it take more?
func (l *loop) alive(h websocket.Handle, room bool) error {
	word := l.table.at(int(h.FD)).owner.Load()
	if uint32(word>>32) != h.Gen || uint16(word) != l.tag {
		return websocket.ErrGone
	}
	if room && word&ownerFull != 0 {
		return websocket.ErrBacklog
	}
	return nil
}
