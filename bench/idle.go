package main

import "time"

// idlers are connections that do nothing but answer pings. Each echoes one
// message when it is opened, as proof that the server serves it, and a sample
// of them, another one every time, echoes a probe.
type idlers struct {
	nothing
	*group
	probes float64 // a second
	begun  int64
	sent   int64
	at     int // the next one of the sample
}

// probeStep is how far the members of the sample lie apart: connections that
// were opened together are probed at different times.
const probeStep = 7919

func (b *idlers) opened(l *loop, c *conn) { l.ask(c, 1, l.now) }

func (b *idlers) begin(l *loop) { b.begun = l.now }

func (b *idlers) echoed(l *loop, c *conn, k int64) { b.record(l, k, l.now-c.since) }

func (b *idlers) tick(l *loop) {
	if l.phase != phaseMeasure {
		return
	}
	due := int64(float64(l.now-b.begun) * b.probes / float64(time.Second))
	for ; b.sent < due; b.sent++ {
		b.at = (b.at + probeStep) % b.count
		if c := &l.conns[b.first+b.at]; c.open() && c.want == c.got {
			l.now = l.clock()
			l.ask(c, 1, l.now)
		}
	}
}

func (b *idlers) finished(l *loop) bool { return b.deserted(l) }
