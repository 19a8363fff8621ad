package main

// closedLoop sends a batch of messages on each connection and, when it is
// back whole, the next. A server that is slow gets less to do: what it makes
// others wait does not show.
type closedLoop struct {
	nothing
	*group
	batch int64
	left  int64 // messages to be sent yet; -1: until the time is over
}

func (b *closedLoop) begin(l *loop) {
	b.each(l, func(c *conn) {
		l.now = l.clock()
		b.next(l, c)
	})
}

func (b *closedLoop) next(l *loop, c *conn) {
	n := b.batch
	if b.left >= 0 {
		n = min(n, b.left)
		b.left -= n
	}
	if n > 0 {
		l.ask(c, n, l.now)
	}
}

func (b *closedLoop) echoed(l *loop, c *conn, k int64) {
	b.record(l, k, l.now-c.since)
	if c.want == c.got && l.phase == phaseMeasure {
		b.next(l, c)
	}
}

// finished: all messages are back, or nobody is left to send them.
func (b *closedLoop) finished(l *loop) bool {
	return b.left == 0 && l.quiet() || b.deserted(l)
}
