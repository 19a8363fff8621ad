package poller

import "time"

// LoopHealth tells whether an event loop lives.
type LoopHealth struct {
	// Age is for how long the loop has shown no life: since its last tick, which
	// comes every 10 ms, or since it was asked something that it does not answer.
	// 0 while it sleeps.
	Age time.Duration
	// Asleep: there is nothing to wait for, so there are no ticks; it answers. Or
	// it has ended.
	Asleep bool
	// Route is the pattern of the connection that a loop which did not answer is
	// busy with; empty before its request's path is known.
	Route string
}

// Health asks every loop for an answer, waits at most 100 ms, and returns what is
// known of each loop, in their order. An Age of seconds means that a handler blocks
// the loop; one that is only late, because much happens, has less.
func (s *Server) Health() []LoopHealth {
	_, how := ask(s, answerTime, func(_ *loop, reply func(struct{})) { reply(struct{}{}) })
	all := make([]LoopHealth, len(s.loops))
	for i, l := range s.loops {
		all[i] = s.health(l, how[i])
	}
	return all
}

// health is what a loop's last tick and the questions that it has not taken tell.
func (s *Server) health(l *loop, how standing) (h LoopHealth) {
	beat, asked := l.beat.Load(), l.inquiry.since.Load()
	if how == gone || l.goroutine.Load() == nil || beat == 0 && how == answered {
		return LoopHealth{Asleep: true}
	}
	now := s.now()
	if beat != 0 {
		h.Age = since(beat, now)
	}
	if how == silent {
		h.Route = s.routeOf(l)
		if asked != 0 {
			h.Age = max(h.Age, since(asked, now))
		}
	}
	return h
}

// since is the time between two ticks; one that came meanwhile is no time ago.
func since(tick, now uint32) time.Duration {
	if before(now, tick) {
		return 0
	}
	return time.Duration(now-tick) * tickTime
}

// Readiness is what decides whether new clients should come here.
type Readiness struct {
	Listening   bool // Run accepts connections
	Paused      bool // but not just now: descriptors or memory have run out
	Draining    bool // Run's context has ended: it sends connections away
	Connections int  // open, on their way to a loop included
}

// Readiness returns at once: it asks no loop.
func (s *Server) Readiness() Readiness {
	r := Readiness{Paused: s.starved.Load() > 0, Draining: s.draining.Load()}
	r.Listening = s.running.Load() && !r.Draining && s.serving.Load() > 0
	for _, l := range s.loops {
		r.Connections += int(l.count.Load())
	}
	return r
}
