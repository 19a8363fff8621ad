package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// storm is clients that connect, do one thing, and go, at a fixed rate
// together.
type storm struct {
	begun        time.Time
	running      sync.WaitGroup
	stop         context.CancelFunc
	done, failed atomic.Int64
	first        atomic.Pointer[string] // failure
}

// stormClients is how many take turns: a server that answers within
// milliseconds is asked thousands of times a second.
const stormClients = 16

// startStorm lets clients come until stop is called, which must be: rate of them
// in a second, each of which does what visit does; 0: as fast as they can, most
// in all.
func (s *stage) startStorm(ctx context.Context, rate, most int, visit func(*stage) error) *storm {
	ctx, cancel := context.WithCancel(ctx)
	w := &storm{begun: time.Now(), stop: cancel}
	var taken atomic.Int64
	for range stormClients {
		w.running.Go(func() {
			mine := &stage{server: s.server, sockaddr: s.sockaddr, family: s.family}
			turn := func() {}
			if rate > 0 {
				tick := time.NewTicker(stormClients * second / time.Duration(rate))
				defer tick.Stop()
				turn = func() { <-tick.C }
			}
			for ctx.Err() == nil && (most == 0 || taken.Add(1) <= int64(most)) {
				w.count(visit(mine))
				mine.leave()
				turn()
			}
		})
	}
	return w
}

func (w *storm) count(err error) {
	w.done.Add(1)
	if err != nil {
		w.failed.Add(1)
		text := err.Error()
		w.first.CompareAndSwap(nil, &text)
	}
}

// wait waits for all that come, and returns how many a second did.
func (w *storm) wait() float64 {
	w.running.Wait()
	return float64(w.done.Load()) / time.Since(w.begun).Seconds()
}

// comes is a client that connects and is upgraded.
func comes(s *stage) error {
	_, err := s.open(1, dialing{})
	return err
}

// judgeStorm says how it went. A storm that this machine could not raise proves
// nothing.
func (s *stage) judgeStorm(w *storm, rate float64) {
	s.atLeast("connections a second", number, rate, 0.9*float64(s.n))
	s.all("refused, reset or lost", int(w.failed.Load()), 0)
	if first := w.first.Load(); first != nil {
		s.add("  the first: "+*first, number, 1, "= 0", false)
	}
}

// E5: connections that come and go, so many a second.
func acceptStorm(ctx context.Context, s *stage) error {
	const lasting = 5 * time.Second
	w := s.startStorm(ctx, s.n, 0, comes)
	pause(ctx, lasting)
	w.stop()
	s.judgeStorm(w, w.wait())
	return nil
}
