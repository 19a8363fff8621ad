package poller

import (
	"math/rand/v2"

	"echogate/poller/websocket"
)

const (
	// heldStep is how far a loop's buffers may move before it tells the others.
	heldStep = 64 << 10
	// drawn is how many connections are compared when one has to go.
	drawn = 5
	// keepLarge is how much of large buffers a loop keeps, while they are used,
	// when nothing bounds them all: fresh memory for each large message costs
	// more than the message (bench/results has the record).
	keepLarge = 64 << 20
)

// kept is how much of large buffers a loop keeps: half of its part of what may
// be in use.
func (c *Config) kept() int {
	if c.MaxBuffered > 0 {
		return int(c.MaxBuffered) / 2 / c.Loops
	}
	return keepLarge
}

// bound ends a connection when the buffers of all loops together are above
// Config.MaxBuffered: of a few that hold some, drawn at random, the one that was
// heard of longest ago. Which may be the one whose event this is.
func (l *loop) bound() {
	if d := l.pool.out - l.told; d < heldStep && d > -heldStep {
		return
	}
	l.told = l.pool.out
	l.held.Store(int64(l.told))
	if most := l.srv.conf().MaxBuffered; most > 0 && l.srv.held() > most {
		l.evict()
	}
}

// held is what the loops have told of their buffers, in bytes.
func (s *Server) held() (sum int64) {
	for _, l := range s.loops {
		sum += l.held.Load()
	}
	return sum
}

// evict ends one connection that holds buffers. A close frame cannot pass a
// backlog: who has one is cut.
func (l *loop) evict() {
	var worst *busy
	for start, n := rand.IntN(len(l.busys)), 0; n < len(l.busys); n++ {
		b := l.busys[(start+n)%len(l.busys)]
		if b == nil || !b.holds() {
			continue
		}
		if worst == nil || before(l.table.at(b.fd).heard, l.table.at(worst.fd).heard) {
			worst = b
		}
		if n >= drawn {
			break
		}
	}
	if worst == nil {
		return
	}
	s := l.table.at(worst.fd)
	if len(worst.out) > 0 {
		l.cut(worst.fd, s, websocket.ErrTryLater)
		return
	}
	l.call(worst.fd, s, tryLater)
}

func tryLater(*websocket.Conn) error { return websocket.ErrTryLater }

// holds reports whether the connection has memory of its own.
func (b *busy) holds() bool {
	return b.until == 0 && (b.in != nil || b.out != nil || b.work.Holds() || b.tls != nil && b.tls.raw != nil)
}
