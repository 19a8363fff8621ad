package fault

import (
	"math/rand/v2"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// A lot is what was drawn for one reply.
type lot struct {
	jitter   time.Duration
	drop     bool
	copies   int
	reorder  bool
	corrupt  bool
	bit      float64 // which one, as a share of all
	truncate bool
	length   float64 // what is left, as a share of all
}

// A lottery makes the draws of one connection.
type lottery struct{ rand.PCG }

// share is from 0 to less than 1. It is made of the generator's bits, not by
// package rand, whose ways may change: a seed is to be good for years.
func (y *lottery) share() float64 { return float64(y.Uint64()>>11) / (1 << 53) }

// draw draws for one reply, in the grammar's order, what the Spec has
// probabilities for.
func (y *lottery) draw(s *Spec) (l lot) {
	if s.Jitter > 0 {
		l.jitter = time.Duration(y.share() * float64(s.Jitter))
	}
	if s.Drop > 0 {
		l.drop = y.share() < s.Drop
	}
	if s.Dup > 0 {
		l.copies = int(s.Dup)
		if y.share() < s.Dup-float64(l.copies) {
			l.copies++
		}
	}
	if s.Reorder > 0 {
		l.reorder = y.share() < s.Reorder
	}
	if s.Corrupt > 0 {
		l.corrupt, l.bit = y.share() < s.Corrupt, y.share()
	}
	if s.Truncate > 0 {
		l.truncate, l.length = y.share() < s.Truncate, y.share()
	}
	return l
}

// encode is the frames of a reply, spoilt as was drawn.
func (l *lot) encode(s *Spec, n *Counts, op ws.OpCode, p []byte) []byte {
	bit := -1
	if l.corrupt && len(p) > 0 {
		bit = int(l.bit * float64(8*len(p)))
		n.add(KindCorrupt)
	}
	size := len(p)
	if l.truncate && size > 0 {
		size = int(l.length * float64(size))
		n.add(KindTruncate)
	}
	p = append([]byte(nil), p...)
	if bit >= 0 {
		p[bit/8] ^= 1 << (bit % 8)
	}
	p = p[:size]
	if s.Fragment > 0 && len(p) > s.Fragment {
		n.add(KindFragment)
		return fragments(op, p, s.Fragment)
	}
	return websocket.AppendFrame(nil, op, p)
}

// plain reports whether the reply leaves as the route made it.
func (l *lot) plain(s *Spec, p []byte) bool {
	return !l.corrupt && !l.truncate && (s.Fragment == 0 || len(p) <= s.Fragment)
}

// fragments is p in frames of at most size bytes (RFC 6455 §5.4).
func fragments(op ws.OpCode, p []byte, size int) (b []byte) {
	for {
		at, n := len(b), min(size, len(p))
		b = websocket.AppendFrame(b, op, p[:n])
		if p = p[n:]; len(p) == 0 {
			return b
		}
		b[at] &^= 0x80 // not FIN
		op = ws.OpContinuation
	}
}
