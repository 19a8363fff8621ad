package poller

import (
	"net/netip"
	"sync"
)

// addresses counts connections by where they come from.
type addresses struct {
	mu sync.Mutex
	of map[network]tally
}

// network is what counts as one address: an IPv4 address, v4-mapped or not, or
// an IPv6 network of 64 bits, which is what one subscriber has.
type network [16]byte

// tally is the connections of one network.
type tally struct{ served, refused int }

func networkOf(p *identity) network {
	n := network(p.addr)
	if !netip.AddrFrom16(p.addr).Is4In6() {
		clear(n[8:])
	}
	return n
}

// enter counts a connection, which may have to be refused: there are most of its
// network. As many more are let in to be refused, and no more than that.
func (a *addresses) enter(p *identity, most int) admission {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := networkOf(p)
	t := a.of[n]
	switch {
	case t.served < most:
		t.served++
	case t.refused < most:
		t.refused++
		p.refused = true
	default:
		return turnedAway
	}
	p.counted = true
	if a.of == nil {
		a.of = make(map[network]tally)
	}
	a.of[n] = t
	if p.refused {
		return refusedAddress
	}
	return admitted
}

// leave takes a connection out of the count.
func (a *addresses) leave(p *identity) {
	if !p.counted {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := networkOf(p)
	t := a.of[n]
	if p.refused {
		t.refused--
	} else {
		t.served--
	}
	p.counted, p.refused = false, false
	if t == (tally{}) {
		delete(a.of, n)
		return
	}
	a.of[n] = t
}
