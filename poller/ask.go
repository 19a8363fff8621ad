package poller

import (
	"errors"
	"sync/atomic"
	"time"

	"echogate/poller/websocket"
)

const (
	// answerTime is how long a question waits for a loop. One that is not blocked
	// answers between two events.
	answerTime = 100 * time.Millisecond
	// questionsMost is how many questions may wait for a loop. Whoever asks on
	// while a handler blocks it must not fill its mailbox.
	questionsMost = 16
)

// inquiry counts what a loop is asked from outside.
type inquiry struct {
	open  atomic.Int32             // questions that it has not taken
	since atomic.Uint32            // tick of the first one that it did not take; 0: it has taken all
	known atomic.Pointer[counters] // what it counted when it last told
}

// standing is what became of a question to a loop.
type standing uint8

const (
	silent   standing = iota // it has not answered
	answered                 // it has
	gone                     // it has ended: nothing changes what it has left
)

// ask has every loop run f between two of its events, and gathers what f gives
// to reply, then or later, once. It waits no longer than most.
func ask[T any](s *Server, most time.Duration, f func(l *loop, reply func(T))) ([]T, []standing) {
	type answer struct {
		loop  int
		value T
	}
	values, how := make([]T, len(s.loops)), make([]standing, len(s.loops))
	answers := make(chan answer, len(s.loops)) // a late one waits for nobody
	waiting := 0
	for i, l := range s.loops {
		err := l.question(func() { f(l, func(v T) { answers <- answer{i, v} }) })
		switch {
		case err == nil:
			waiting++
		case errors.Is(err, websocket.ErrGone):
			how[i] = gone
		}
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	for range waiting {
		select {
		case a := <-answers:
			values[a.loop], how[a.loop] = a.value, answered
		case <-timer.C:
			return values, how
		}
	}
	return values, how
}

// question posts f. ErrGone: the loop has ended. ErrBacklog: it takes none of
// the questions that it was asked before.
func (l *loop) question(f func()) error {
	if l.inquiry.open.Add(1) > questionsMost {
		l.inquiry.open.Add(-1)
		return websocket.ErrBacklog
	}
	l.inquiry.since.CompareAndSwap(0, l.srv.now())
	err := l.mail.post(l, letter{kind: letterTask, task: func() {
		l.inquiry.open.Add(-1)
		l.inquiry.since.Store(0)
		f()
	}})
	if err != nil {
		l.inquiry.open.Add(-1)
	}
	return err
}

// leave ends the loop's mailbox once it has read it: what is asked afterwards
// can be answered by whoever asks.
func (l *loop) leave() {
	for !l.mail.end() {
		_ = l.deliver()
	}
	l.beat.Store(0)
}
