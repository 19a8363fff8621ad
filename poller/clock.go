package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

// This file is a loop's clock: the timer that ticks every 10 ms while there is
// something to wait for, what a tick leads to, and what a byte sets back.

// tock is the timer's event: ticks have passed.
func (l *loop) tock() error {
	var count [8]byte
	_, _ = unix.Read(l.timer, count[:])
	was := l.tick
	l.look()
	now := l.tick
	l.beat.Store(now)
	l.stats.lag(now - was)
	l.stats.use.look(time.Since(l.srv.start))
	if now-was > lateTicks && l.late == 0 {
		l.late = was
		return nil
	}
	passed := now - l.wheel.last
	l.due = l.wheel.advance(now, l.due[:0])
	for _, r := range l.due {
		l.expire(r, passed)
	}
	l.late = 0
	l.resumeAccept()
	l.sweepDrain()
	if now/ticksPerSecond != (now-passed)/ticksPerSecond {
		l.trim()
	}
	l.sleep()
	return l.stopped()
}

// arm starts the timer; sleep stops it when there is nothing to wait for. A
// connection may set a deadline in any event, and its times are read off the
// clock: while there is one the timer runs, though nothing is filed.
func (l *loop) arm() {
	if !l.armed {
		l.armed = true
		l.look()
		l.beat.Store(l.tick)
		l.wheel.last = l.tick
		l.setTimer(tickTime)
	}
}

// look reads the clock.
func (l *loop) look() {
	age := l.srv.age()
	l.tick, l.era = uint32(age), uint32(age>>32)
}

func (l *loop) sleep() {
	if l.armed && l.count.Load() == 0 && l.wheel.count == 0 && l.draining == 0 && !l.acceptPaused() {
		l.armed = false
		l.beat.Store(0)
		l.stats.use = utilization{}
		l.setTimer(0)
		l.trim()
		l.trim() // the first one only begins to look
	}
}

func (l *loop) setTimer(d time.Duration) {
	t := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Interval: t, Value: t}, nil)
}

// heard notes that bytes came.
func (l *loop) heard(s *slot) {
	if l.tick/controlWindow != s.heard/controlWindow {
		s.ws.Window()
	}
	s.heard = l.tick
	if s.ws.Served() {
		s.opened = l.tick // a later request's time begins with its first byte
		s.ws.Begin()
	}
}

// controlWindow is the 10 s of the control-frame budget.
const controlWindow = 10 * ticksPerSecond
