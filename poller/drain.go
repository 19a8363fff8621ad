package poller

import (
	"github.com/panjf2000/gnet/v2/pkg/errors"

	"echogate/poller/websocket"
)

// slice is how many descriptors a loop looks at before it goes on with events.
const slice = 1 << 14

// beginDrain closes the listeners and has every connection sent away in its own
// moment of Config.Drain.
func (l *loop) beginDrain() {
	if l.draining != 0 {
		return
	}
	l.arm()
	l.draining, l.sweep = max(l.tick, 1), 0
	l.stopListening()
	l.sweepDrain()
}

// sweepDrain files the next slice of connections at the moment at which they
// are to go.
func (l *loop) sweepDrain() {
	if l.draining == 0 {
		return
	}
	top := l.table.top()
	for end := min(l.sweep+slice, top); l.sweep < end; l.sweep++ {
		if s := l.table.at(l.sweep); s != nil && s.is(l) {
			l.schedule(l.sweep, s)
		}
	}
}

// cutAll ends every connection of the loop at once.
func (l *loop) cutAll() {
	l.beginDrain()
	l.cutting = true
	for fd := range l.table.top() {
		if s := l.table.at(fd); s != nil && s.is(l) {
			l.cut(fd, s, websocket.ErrGoingAway)
		}
	}
}

// stopped ends Polling when the server stops and nothing is left: a listener
// of another loop may still hand connections over, and one that is on its way
// here counts already.
func (l *loop) stopped() error {
	if l.draining != 0 && l.srv.serving.Load() == 0 && l.count.Load() == 0 {
		return errors.ErrEngineShutdown
	}
	return nil
}
