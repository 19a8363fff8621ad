package poller

import (
	"sync"
	"time"
)

// gate lets connections in at a rate, over all listeners: a bucket that fills
// with AcceptRate tokens a second, up to AcceptBurst, and from which each
// connection takes one.
type gate struct {
	mu     sync.Mutex
	tokens float64
	filled time.Duration // when it was filled up last, by the server's age
}

// take takes a token at now, if there is one.
func (g *gate) take(now time.Duration, rate, burst int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.filled == 0 {
		g.tokens = float64(burst)
	}
	g.tokens = min(g.tokens+(now-g.filled).Seconds()*float64(rate), float64(burst))
	g.filled = now
	if g.tokens < 1 {
		return false
	}
	g.tokens--
	return true
}

// putBack gives back a token for which nobody came.
func (g *gate) putBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens++
}

// mayAccept takes leave for one more connection. Who gets none waits in the
// kernel's backlog: the listener leaves the poller for a tick. A drain takes what
// has waited.
func (l *loop) mayAccept(ln *listener) bool {
	c := l.srv.conf()
	if c.AcceptRate == 0 || l.draining != 0 || l.srv.gate.take(max(time.Since(l.srv.start), 1), c.AcceptRate, c.AcceptBurst) {
		return true
	}
	l.pauseAccept(ln, tickTime)
	return false
}

// notAccepted undoes mayAccept.
func (l *loop) notAccepted() {
	if l.srv.conf().AcceptRate > 0 {
		l.srv.gate.putBack()
	}
}
