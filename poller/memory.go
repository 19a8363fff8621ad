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
	// evictions is how many connections one event may end at most, so that other
	// events do not wait for it. It takes more than one when small buffers have to
	// go for a large one.
	evictions = 16
	// keepLarge is how much of large buffers a loop keeps warm, while they are
	// used, when nothing bounds them all.
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

// bound gives back the memory of free buffers when the buffers of all loops together
// are above Config.MaxBuffered. If that is not enough it ends connections: each time
// it looks at a few that hold buffers, from a random one on, and ends the one that
// was silent for longest, which may be the one whose event this is.
func (l *loop) bound() {
	if d := l.pool.memory() - l.told; d < heldStep && d > -heldStep {
		return
	}
	l.announce()
	if !l.over() {
		return
	}
	l.pool.regions.coolAll()
	l.announce()
	for n := 0; n < evictions && l.over() && l.evict(); n++ {
		l.announce()
	}
}

// over reports whether the buffers of all loops are above their bound.
func (l *loop) over() bool {
	most := l.srv.conf().MaxBuffered
	return most > 0 && l.srv.held() > most
}

// announce tells the other loops how much memory this one's buffers have.
func (l *loop) announce() {
	l.told = l.pool.memory()
	l.held.Store(int64(l.told))
}

// held is what the loops have told of their buffers, in bytes.
func (s *Server) held() (sum int64) {
	for _, l := range s.loops {
		sum += l.held.Load()
	}
	return sum
}

// evict ends one connection that holds buffers, if there is any. A close frame
// cannot pass a backlog: who has one is cut.
func (l *loop) evict() bool {
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
		return false
	}
	s := l.table.at(worst.fd)
	if len(worst.out) > 0 {
		l.cut(worst.fd, s, websocket.ErrTryLater)
		return true
	}
	l.call(worst.fd, s, tryLater)
	return true
}

func tryLater(*websocket.Conn) error { return websocket.ErrTryLater }

// holds reports whether the connection has memory of its own.
func (b *busy) holds() bool {
	return b.until == 0 && (b.in != nil || b.out != nil || b.work.Holds() || b.tls != nil && b.tls.raw != nil)
}
