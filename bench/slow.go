package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// slowReaders send as much as the server takes and read no more than so many
// bytes a second: what it echoes has to stay with it.
type slowReaders struct {
	nothing
	*group
	rate  float64 // bytes a second, of each
	begun int64
	read  int64 // bytes that each was allowed so far
	at    int   // the connection that sends next
}

const (
	// slowBuffer is SO_RCVBUF of a slow reader. The kernel's own would take
	// megabytes before the server noticed anything.
	slowBuffer = 4 << 10
	// slowSend is how many bytes all of them together may send in a tick: 100
	// MB/s fill the server's buffers, and leave time to measure the others.
	slowSend = 1 << 20
)

func (b *slowReaders) begin(l *loop) { b.begun = l.now }

func (b *slowReaders) echoed(l *loop, c *conn, k int64) { b.record(l, k, 0) }

func (b *slowReaders) tick(l *loop) {
	if l.phase != phaseMeasure {
		return
	}
	due := int64(float64(l.now-b.begun) * b.rate / float64(time.Second))
	allowed := min(due-b.read, int64(len(l.buf)))
	b.read = due
	b.each(l, func(c *conn) {
		c.since = l.now // to read slowly is no failure to answer
		if allowed > 0 {
			b.take(l, c, int(allowed))
		}
	})
	b.fill(l)
}

// fill sends a message more on each connection that has none under way, as
// long as the tick allows; the next tick goes on where this one stops.
func (b *slowReaders) fill(l *loop) {
	idle := 0 // connections in a row that take nothing
	for left := slowSend; left > 0 && idle < b.count; left -= l.stream.outFrame {
		c := &l.conns[b.first+b.at]
		b.at = (b.at + 1) % b.count
		if idle++; c.open() && c.tx == c.want*uint64(l.stream.outFrame) {
			l.ask(c, 1, l.now)
			idle = 0
		}
	}
}

// take reads what c is allowed now.
func (b *slowReaders) take(l *loop, c *conn, allowed int) {
	n, errno := recv(int(c.fd), &l.buf[0], allowed)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno != 0 || n <= 0:
		l.nothing(c, n, errno)
	default:
		if c.flags&flagTLS != 0 {
			l.unseal(c, l.buf[:n])
		} else {
			l.received(c, l.buf[:n])
		}
	}
}

func (b *slowReaders) finished(l *loop) bool { return b.deserted(l) }
