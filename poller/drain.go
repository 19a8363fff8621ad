package poller

import (
	"math/rand/v2"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/errors"

	"echogate/poller/websocket"
)

// This file is how connections are sent away: all of them when the server stops, or
// a share of them while it goes on.

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

// Drain sends away a share, from 0 to 1, of the connections that are open, to move
// load to other servers: each at a random moment within over, with
// Config.DrainCode. New connections are accepted meanwhile. It does not wait.
func (s *Server) Drain(share float64, over time.Duration) {
	s.each(func(l *loop) { l.drainShare(0, share, over) })
}

// drainShare draws from the connections from descriptor fd on, one slice at a
// time.
func (l *loop) drainShare(fd int, share float64, over time.Duration) {
	top := l.table.top()
	for end := min(fd+slice, top); fd < end; fd++ {
		if s := l.table.at(fd); s != nil && s.is(l) && s.ws.Open() && rand.Float64() < share {
			l.newTimer(fd, s, time.Duration(rand.Float64()*float64(over)), l.sendAway)
		}
	}
	if fd < top {
		_ = l.mail.post(l, letter{kind: letterTask, task: func() { l.drainShare(fd, share, over) }})
	}
}

// jobLook is how often the end of a job is looked for.
const jobLook = 100 * time.Millisecond

// sendAway is for the connections drawn. A message whose job is under way has been
// taken: its answer leaves before.
func (l *loop) sendAway(c *websocket.Conn) error {
	if c.State().Working() {
		c.After(jobLook, l.sendAway)
		return nil
	}
	return l.farewell()(c)
}

// farewell is how connections are sent away.
func (l *loop) farewell() func(*websocket.Conn) error {
	if l.srv.conf().DrainCode == websocket.ErrRestart.Code {
		return restart
	}
	return goAway
}
