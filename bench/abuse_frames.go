package main

import (
	"context"
	"time"

	"github.com/gobwas/ws"
)

const maxMessage = 1 << 20 // the gateway's default

// settling is how long a server gets for what was sent to it before its memory
// is read.
const settling = time.Second

// B1: headers that declare what never comes.
func declaredLengths(ctx context.Context, s *stage) error {
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	pause(ctx, settling)
	before, till := s.rss(), time.Now().Add(clientPatience)
	for _, p := range peers {
		p.write(clientHeader(ws.OpBinary, true, maxMessage), till)
	}
	pause(ctx, settling)
	s.atMost("growth of the server", size, s.rss()-before, 4<<20)
	s.leave()
	for _, x := range []struct {
		name   string
		length uint64
		code   ws.StatusCode
	}{{"over the limit", maxMessage + 1, 1009}, {"2^62", 1 << 62, 1009}, {"top bit", 1 << 63, 1002}} {
		liar, err := s.open(1, dialing{})
		if err != nil {
			return err
		}
		liar[0].write(clientHeader(ws.OpBinary, true, x.length), till)
		s.all(x.name+": close code", int(liar[0].closeCode(till)), int(x.code))
	}
	return nil
}
