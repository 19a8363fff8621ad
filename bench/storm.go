package main

import (
	"fmt"
	"time"
)

// stormers connect, upgrade, echo one message, close, and begin again. The
// latency is that from the connect to the echo.
type stormers struct {
	nothing
	*group
}

func (b *stormers) begin(l *loop) {
	for i := range b.count {
		b.opener.add(int32(b.first + i))
	}
}

// opened leaves since where it is: the clock goes on from the connect.
func (b *stormers) opened(l *loop, c *conn) { l.ask(c, 1, c.since) }

func (b *stormers) echoed(l *loop, c *conn, k int64) {
	b.record(l, k, l.now-c.since)
	l.goodbye(c)
}

func (b *stormers) ended(l *loop, c *conn, how ending) {
	if l.phase != phaseMeasure {
		return
	}
	if how == endClosed {
		b.opener.add(c.id)
		l.open(b.group)
		return
	}
	// It would fail again at once if the server is down: not before the tick.
	b.opener.again = append(b.opener.again, c.id)
}

// returners are all open, are cut all at once, and come back. The latency is
// that from the cut to the echo on the new connection, so that a connection
// that has to wait for its turn is not better for it.
type returners struct {
	nothing
	*group
	cutAt  int64 // 0: all are back
	backAt int64
	back   int // since the last cut
	rounds int
}

// returnPause is how long the connections are left alone between two rounds.
const returnPause = int64(time.Second)

func (b *returners) opened(l *loop, c *conn) { l.ask(c, 1, c.since) }

func (b *returners) begin(l *loop) { b.cut(l) }

func (b *returners) cut(l *loop) {
	b.cutAt, b.back = l.now, 0
	for i := range b.count {
		c := &l.conns[b.first+i]
		if c.open() {
			l.release(c, cut)
		}
		b.opener.add(c.id)
	}
	l.open(b.group)
}

func (b *returners) echoed(l *loop, c *conn, k int64) {
	if b.cutAt == 0 { // lost between two rounds, or opened before the first
		b.record(l, k, l.now-c.since)
		return
	}
	b.record(l, k, l.now-b.cutAt)
	if b.back++; b.back < b.count {
		return
	}
	b.rounds++
	took := time.Duration(l.now - b.cutAt).Round(time.Millisecond)
	l.remarks.say(fmt.Sprintf("round %d: all %d connections were back after %v", b.rounds, b.count, took))
	b.cutAt, b.backAt = 0, l.now
}

func (b *returners) ended(l *loop, c *conn, how ending) {
	if l.phase != phaseMeasure {
		return
	}
	if how == endLost && c.got > 0 && b.cutAt != 0 {
		b.back--
	}
	b.opener.again = append(b.opener.again, c.id)
}

func (b *returners) tick(l *loop) {
	if l.phase == phaseMeasure && b.cutAt == 0 && l.now-b.backAt >= returnPause {
		b.cut(l)
	}
}
