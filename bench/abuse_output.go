package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// What clients send that read nothing.
const (
	unreadAll     = 10 << 20
	unreadMessage = 64 << 10
)

// The gateway's defaults.
const (
	highWater    = 64 << 10
	oneRead      = 512 << 10
	stallTimeout = 30 * time.Second
	maxBuffered  = 256 << 20
)

// offerAll lets each peer send of the stream what its socket takes, up to
// unreadAll, until none has sent anything for quiet. It returns when the last
// did.
func offerAll(ctx context.Context, peers []*peer, out *stream, quiet time.Duration) (last time.Time) {
	messages := uint64(unreadAll / unreadMessage)
	for last = time.Now(); time.Since(last) < quiet && ctx.Err() == nil; {
		for _, p := range peers {
			piece := out.piece(p.tx, messages*uint64(out.outFrame))
			if n := p.offer(piece); n > 0 {
				p.tx += uint64(n)
				last = time.Now()
			}
		}
		pause(ctx, sampled)
	}
	return last
}

// C1: clients that send and read nothing; then one of them reads on.
func unreadEchoes(ctx context.Context, s *stage) error {
	const quiet = 2 * time.Second
	peers, err := s.open(s.n, dialing{small: true})
	if err != nil {
		return err
	}
	out := newStream(ws.OpBinary, unreadMessage, 1)
	before, peak := s.rss(), s.watchRSS()
	offerAll(ctx, peers, out, quiet)
	each := (peak() - before) / float64(s.n)
	s.atMost("memory of one client", size, each, highWater+oneRead+unreadMessage)
	var taken uint64
	for _, p := range peers {
		taken += p.tx
	}
	s.below("taken from one client", size, float64(taken)/float64(s.n), unreadAll)
	return s.readOn(ctx, peers[0], out)
}

// readOn reads on after the stall, sends what is left, and compares.
func (s *stage) readOn(ctx context.Context, p *peer, out *stream) error {
	if err := unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20); err != nil {
		return err
	}
	messages := uint64(unreadAll / unreadMessage)
	want, rx, right := messages*uint64(out.inFrame), uint64(0), true
	for till := time.Now().Add(rowTime); rx < want && right && !p.over && ctx.Err() == nil; {
		p.tx += uint64(p.offer(out.piece(p.tx, messages*uint64(out.outFrame))))
		p.more(time.Now().Add(sampled))
		right = out.matches(rx, p.in)
		rx += uint64(len(p.in))
		p.in = p.in[:0]
		if time.Now().After(till) {
			break
		}
	}
	s.add("came back to one that reads on", size, float64(rx), "= "+size.format(float64(want)), right && rx == want)
	return nil
}

// C2: clients that never read are cut when nothing moves any more.
func stalledReaders(ctx context.Context, s *stage) error {
	const quiet = 5 * time.Second
	peers, err := s.open(s.n, dialing{small: true})
	if err != nil {
		return err
	}
	last := offerAll(ctx, peers, newStream(ws.OpBinary, unreadMessage, 1), quiet)
	early := s.n - awaitAll(ctx, peers, time.Now(), (*peer).cutOff)
	s.all("cut while it still moved", early, 0)
	left := awaitAll(ctx, peers, last.Add(stallTimeout+10*time.Second), (*peer).cutOff)
	s.all("left", left, 0)
	s.atMost("all cut within", duration, since(last), length(stallTimeout+time.Second))
	return nil
}

// hold sends all but the last byte of a message of 1 MiB on every peer, a piece
// at a time. Those that the server ends are passed over.
func hold(ctx context.Context, peers []*peer) {
	const piece = 64 << 10
	till, zeros := time.Now().Add(rowTime), make([]byte, piece)
	for _, p := range peers {
		p.write(clientHeader(ws.OpBinary, true, maxMessage), till)
	}
	for at := 0; at < maxMessage-1; at += piece {
		for _, p := range peers {
			if ctx.Err() != nil {
				return
			}
			if !p.broken {
				p.write(zeros[:min(piece, maxMessage-1-at)], time.Now().Add(second))
			}
			p.fill() // a close frame
		}
	}
}

// C4: unfinished messages of many connections.
func unfinishedMessages(ctx context.Context, s *stage) error {
	peak := s.watchRSS()
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		peak()
		return err
	}
	hold(ctx, peers)
	pause(ctx, settling)
	s.below("memory of the server", size, peak(), maxBuffered+32<<20)
	ended := 0
	for _, p := range peers {
		ended += btoi(len(p.in) > 0 && p.closeCode(time.Now()) == 1013)
	}
	s.note("ended 1013", number, float64(ended))
	return nil
}

// C5: what C4 and C1 leave behind.
func afterBursts(ctx context.Context, s *stage) error {
	const patient = 60 * time.Second
	pause(ctx, settling)
	before := s.rss()
	peak := s.watchRSS()
	peers, err := s.open(4*s.n, dialing{})
	if err == nil {
		hold(ctx, peers)
		s.leave()
		peers, err = s.open(s.n, dialing{small: true})
	}
	highest := peak()
	if err != nil {
		return fmt.Errorf("the next burst: %w", err)
	}
	offerAll(ctx, peers, newStream(ws.OpBinary, unreadMessage, 1), second)
	s.leave()
	begun := time.Now()
	for s.rss()-before > 16<<20 && time.Since(begun) < patient && ctx.Err() == nil {
		pause(ctx, sampled)
	}
	s.note("growth in the first burst", size, highest-before)
	s.atMost("growth that stays", size, s.rss()-before, 16<<20)
	s.note("  after", duration, since(begun))
	return nil
}
