package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/gobwas/ws"
)

// C3: everybody gets messages pushed, at the same time; one in a hundred reads
// nothing, and ordered more than any buffer takes.
func pushes(ctx context.Context, s *stage) error {
	const every, count, bytesEach, slack = 100 * time.Millisecond, 50, 4 << 10, 2 * time.Second
	stalled := max(s.n/100, 1)
	deaf, err := s.openTo(stalled, dialing{small: true}, "/bench")
	if err != nil {
		return err
	}
	readers, err := s.openTo(s.n-stalled, dialing{}, "/bench")
	if err != nil {
		return err
	}
	order := func(every time.Duration, count int) []byte {
		text := fmt.Appendf(nil, "%v %d ", every, count)
		return clientFrame(ws.OpText, true, append(text, bytes.Repeat([]byte("x"), bytesEach)...))
	}
	before, peak := s.rss(), s.watchRSS()
	begun := time.Now()
	for _, p := range deaf {
		p.write(order(10*time.Millisecond, 100*count), soon())
	}
	for _, p := range readers {
		p.write(order(every, count), soon())
	}
	const want = count * (4 + bytesEach) // with headers
	left := awaitAll(ctx, readers, begun.Add(clientPatience), func(p *peer) bool {
		p.fill()
		p.tx += uint64(len(p.in))
		p.in = p.in[:0]
		return p.tx >= want
	})
	s.all("readers without all that was pushed", left, 0)
	s.atMost("  all had it within", duration, since(begun), length(every*count+slack))
	s.atMost("growth of the server", size, peak()-before, float64(s.n)*2*bytesEach+float64(stalled)*(highWater+oneRead))
	return nil
}

// F1: handlers that fail among clients that echo.
func failingHandlers(ctx context.Context, s *stage) error {
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	ended, till := 0, time.Now().Add(upgradesPatience)
	for left := s.n; left > 0 && ctx.Err() == nil; left -= atATime {
		part, err := s.openTo(min(left, atATime), dialing{}, "/internal_error")
		if err != nil {
			return err
		}
		for _, p := range part {
			ended += btoi(p.closeCode(till) == ws.StatusInternalServerError)
		}
	}
	s.all("handlers that fail: ended 1011", ended, s.n)
	echoed := 0
	for _, p := range peers {
		echoed += btoi(p.echo(till))
	}
	s.all("others: echo as before", echoed, s.n)
	return nil
}
