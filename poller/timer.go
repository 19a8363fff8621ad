package poller

import (
	"time"

	"echogate/poller/websocket"
)

// timer is a function of Conn.After that waits: an entry of the wheel by itself,
// which dies with its connection.
type timer struct {
	link
	fd  int
	use uint32 // how often this place was used: tells a stale Timer
	f   func(*websocket.Conn) error

	nextOf, prevOf uint32 // list of the connection's timers; 0: none
}

// newTimer files f. The first place is never used, so that 0 means none.
func (l *loop) newTimer(fd int, s *slot, d time.Duration, f func(*websocket.Conn) error) websocket.Timer {
	if len(l.timers) == 0 {
		l.timers = make([]timer, 1)
	}
	id := uint32(len(l.timers))
	if n := len(l.freeTimer); n > 0 {
		id, l.freeTimer = l.freeTimer[n-1], l.freeTimer[:n-1]
	} else {
		l.timers = append(l.timers, timer{})
	}
	b := l.work(fd, s)
	t := &l.timers[id]
	t.fd, t.f = fd, f
	t.nextOf = b.timers
	if b.timers != 0 {
		l.timers[b.timers].prevOf = id
	}
	b.timers = id
	l.wheel.file(timerRef(id), l.tick+max(ticks(d), 1))
	return websocket.NewTimer(l, id, t.use)
}

func timerRef(id uint32) ref { return -ref(id) - 1 }

// freeTimerAt takes a timer out of the wheel and out of its connection's list.
func (l *loop) freeTimerAt(id uint32) {
	l.wheel.remove(timerRef(id))
	t := &l.timers[id]
	if t.nextOf != 0 {
		l.timers[t.nextOf].prevOf = t.prevOf
	}
	if t.prevOf != 0 {
		l.timers[t.prevOf].nextOf = t.nextOf
	} else {
		l.busyOf(l.table.at(t.fd)).timers = t.nextOf
	}
	*t = timer{use: t.use + 1}
	l.freeTimer = append(l.freeTimer, id)
}

// fire runs a timer that has come up.
func (l *loop) fire(id uint32) {
	t := &l.timers[id]
	if t.f == nil || t.filed != 0 { // stopped, or its place reused, in this tick
		return
	}
	fd, f := t.fd, t.f
	s := l.table.at(fd)
	l.freeTimerAt(id)
	l.call(fd, s, f)
}

// dropTimers ends the timers of a connection that ends.
func (l *loop) dropTimers(s *slot) {
	for b := l.busyOf(s); b != nil && b.timers != 0; {
		l.freeTimerAt(b.timers)
	}
}
