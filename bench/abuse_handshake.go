package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second // the gateway's default
	second           = time.Second
)

// A1: every client sends a byte a second of a head that never ends.
func drippedHeads(ctx context.Context, s *stage) error {
	head := []byte("GET /echo HTTP/1.1\r\nHost: a\r\nX-Drip: " + strings.Repeat("x", 64))
	before := s.rss()
	begun := time.Now()
	peers, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	opened := time.Now()
	for i := 0; time.Since(begun) < handshakeTimeout*8/10 && ctx.Err() == nil; i++ {
		for _, p := range peers {
			p.offer(head[i : i+1])
		}
		pause(ctx, second)
	}
	early := 0
	for _, p := range peers {
		if p.ended() {
			early++
		}
	}
	s.below("memory of one client", size, (s.rss()-before)/float64(s.n), 1<<10)
	s.all("ended before the deadline", early, 0)
	left := awaitAll(ctx, peers, opened.Add(handshakeTimeout+second), (*peer).ended)
	s.all("left 1 s after the deadline", left, 0)
	return nil
}

// A2: a header line without end, in pieces that wait a moment for an answer, so
// that what was sent is nearly what the server has read.
func endlessHead(ctx context.Context, s *stage) error {
	const all, piece, certain, moment = 16 << 20, 1 << 10, 64 << 10, 5 * time.Millisecond
	before, peak := s.rss(), s.watchRSS()
	peers, err := s.connect(s.n, dialing{})
	if err != nil {
		peak()
		return err
	}
	p := peers[0]
	sent := p.write([]byte("GET /echo HTTP/1.1\r\nX: "), time.Now().Add(clientPatience))
	junk := []byte(strings.Repeat("x", piece))
	for sent < all && len(p.in) == 0 && !p.broken && !p.over {
		sent += p.write(junk, time.Now().Add(clientPatience))
		p.fill()
		if sent < 2*certain { // above, the figure is not held anyway
			p.more(time.Now().Add(moment))
		}
	}
	s.all("status", p.status(time.Now().Add(clientPatience)), 431)
	s.atMost("sent until the answer", size, float64(sent), certain)
	for sent < all && !p.broken && ctx.Err() == nil {
		sent += p.write(junk, time.Now().Add(clientPatience))
		p.fill()
	}
	s.add("taken of 16 MiB", size, float64(sent), "< 16 MiB", p.broken)
	s.atMost("growth of the server", size, peak()-before, 1<<20)
	return nil
}

// noises is what plain ports get from clients of other protocols.
var noises = [][]byte{
	[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), // TLS: a ClientHello
	[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	[]byte("\x00\xff\xfe\x80noise"),
}

// A8: clients of other protocols.
func notHTTP(ctx context.Context, s *stage) error {
	peers, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	begun := time.Now()
	for i, p := range peers {
		p.write(noises[i%len(noises)], begun.Add(clientPatience))
	}
	refused := 0
	for _, p := range peers {
		if p.status(begun.Add(clientPatience)) == 400 {
			refused++
		}
	}
	s.all("refused with 400", refused, s.n)
	left := awaitAll(ctx, peers, begun.Add(clientPatience), (*peer).ended)
	s.all("left", left, 0)
	s.atMost("all closed within", duration, since(begun), length(second))
	return nil
}

// A9: three times as many silent clients as may be half-open.
func halfOpen(ctx context.Context, s *stage) error {
	const newcomers = 100
	most := max(s.n/3, 1)
	silent, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	begun := time.Now()
	echoed := 0
	for range newcomers { // one at a time, or they are half-open themselves
		served, err := s.open(1, dialing{})
		if err != nil {
			return fmt.Errorf("newcomer: %w", err)
		}
		echoed += btoi(served[0].echo(begun.Add(clientPatience)))
	}
	s.all("newcomers served", echoed, newcomers)
	s.note("  in", duration, since(begun))
	// The oldest are gone long before their deadline; the youngest are not.
	left := awaitAll(ctx, silent[:most], begun.Add(handshakeTimeout/2), (*peer).ended)
	s.all("of the oldest third left", left, 0)
	kept := 0
	for _, p := range silent {
		if !p.ended() {
			kept++
		}
	}
	s.atMost("silent clients left", number, float64(kept), float64(most))
	s.atLeast("silent clients left", number, float64(kept), float64(most/2))
	return nil
}

// H1: requests that are refused, as fast as they come, against a server that
// logs every refusal.
func refusedInTheLog(ctx context.Context, s *stage) error {
	var at atomic.Int64
	before := s.program.output.lines.Load()
	w := s.startStorm(ctx, 0, s.n, func(mine *stage) error {
		peers, err := mine.connect(1, dialing{})
		if err != nil {
			return err
		}
		peers[0].write(badHeads[at.Add(1)%int64(len(badHeads))], soon())
		if status := peers[0].status(soon()); status < 400 {
			return fmt.Errorf("answered with %d", status)
		}
		return nil
	})
	rate := w.wait()
	w.stop()
	s.all("refused", int(w.done.Load()-w.failed.Load()), s.n)
	s.note("  in a second", number, rate)
	pause(ctx, settling)
	lines := float64(s.program.output.lines.Load() - before)
	s.below("log lines", number, lines, 200)
	s.atLeast("log lines", number, lines, 1) // a server that logs nothing proves nothing
	return nil
}
