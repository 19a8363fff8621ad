package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/gobwas/ws"
)

// bombTarget is where the gateway inflates.
const bombTarget = "/deflate"

// packedHeader makes a client's frame a compressed one.
func packedHeader(frame []byte) []byte {
	frame[0] |= rsv1Bit
	return frame
}

// T4: a MiB that inflates to a GiB, on one connection after the other: blocks that
// each stand for a MiB of zeros. What messages cost that are as long as may be is
// there before.
func bombs(ctx context.Context, s *stage) error {
	s.offer = deflateOffer
	block := append(deflated(make([]byte, 1<<20)), flushed...)
	bomb := packedHeader(clientFrame(ws.OpBinary, true, bytes.Repeat(block, maxMessage/len(block))))
	if err := s.largest(8); err != nil {
		return err
	}
	pause(ctx, settling)
	before, peak, ended := s.rss(), s.watchRSS(), 0
	for range s.n {
		p, err := s.openTo(1, dialing{}, bombTarget)
		if err != nil {
			return err
		}
		till := time.Now().Add(clientPatience)
		p[0].write(bomb, till)
		ended += btoi(p[0].closeCode(till) == 1009)
	}
	s.all("ended 1009", ended, s.n)
	s.atMost("growth above such messages that are good", size, peak()-before, 2<<20)
	s.note("a bomb inflates to", size, float64(maxMessage/len(block))*(1<<20))
	return nil
}

// largest has messages echoed that are as long as may be, one on each of n
// connections: so much every loop has had in memory.
func (s *stage) largest(n int) error {
	for range n {
		p, err := s.openTo(1, dialing{}, bombTarget)
		if err != nil {
			return err
		}
		till := time.Now().Add(clientPatience)
		p[0].write(clientFrame(ws.OpBinary, true, make([]byte, maxMessage)), till)
		if _, echo, _ := p[0].frame(till); len(echo) == 0 {
			return fmt.Errorf("a message of %d bytes did not come back", maxMessage)
		}
	}
	return nil
}

// T5: payloads that do not inflate, and one cut short.
func brokenStreams(_ context.Context, s *stage) error {
	s.offer = deflateOffer
	whole := deflated([]byte("a message that is whole"))
	ended := 0
	for i := range s.n {
		p, err := s.openTo(1, dialing{}, bombTarget)
		if err != nil {
			return err
		}
		broken := [][]byte{nil, {0xff}, whole[:len(whole)/2], {0, 5, 0, 0xfa, 0xfe, 'H', 'e', 'l', 'l', 'o'}}[i%4]
		till := time.Now().Add(clientPatience)
		p[0].write(packedHeader(clientFrame(ws.OpText, true, broken)), till)
		ended += btoi(p[0].closeCode(till) == 1007)
	}
	s.all("ended 1007", ended, s.n)
	return nil
}
