package main

import (
	"context"
	"net/netip"
	"time"
)

// E2: more clients than places: two thirds of them fit.
func moreThanPlaces(ctx context.Context, s *stage) error {
	places := max(2*s.n/3, 1)
	served, refused := 0, 0
	for left := s.n; left > 0; left -= atATime {
		part, err := s.connect(min(left, atATime), dialing{})
		if err != nil {
			return err
		}
		answers := s.upgrade(part)
		served, refused = served+answers[101], refused+answers[503]
	}
	s.all("served", served, places)
	s.all("refused with 503", refused, s.n-places)
	echoed := 0
	till := time.Now().Add(clientPatience)
	for _, p := range s.peers {
		if !p.ended() {
			echoed += btoi(p.echo(till))
		}
	}
	s.all("echo", echoed, places)
	s.leave()
	begun, back := time.Now(), 0
	for back < places && time.Since(begun) < clientPatience && ctx.Err() == nil {
		again, err := s.connect(min(atATime, places-back), dialing{})
		if err != nil {
			return err
		}
		back += s.upgrade(again)[101]
	}
	s.all("freed places used again", back, places)
	s.atMost("  within", duration, since(begun), length(second))
	return nil
}

// E4: one address takes twice what an address may have; another one does not
// notice.
func oneAddress(_ context.Context, s *stage) error {
	most := s.n / 2
	from := func(last byte) dialing {
		a, _ := sockaddr(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, last}), 0))
		return dialing{from: a}
	}
	peers, err := s.connect(s.n, from(1))
	if err != nil {
		return err
	}
	answers := s.upgrade(peers)
	s.all("served", answers[101], most)
	s.all("refused with 429", answers[429], s.n-most)
	others, err := s.open(most, from(2))
	if err != nil {
		return err
	}
	s.all("served of another address", len(others), most)
	return nil
}
