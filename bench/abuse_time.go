package main

import (
	"context"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// D1: one half of the clients answers pings, the other does nothing.
func unansweredPings(ctx context.Context, s *stage) error {
	const idle, slack = 5 * time.Second, 2 * time.Second // idle: the row's flag
	peers, err := s.open(2*(s.n/2), dialing{})
	if err != nil {
		return err
	}
	begun, living, silent := time.Now(), peers[:s.n/2], peers[s.n/2:]
	for time.Since(begun) < 2*idle && ctx.Err() == nil {
		for _, p := range living {
			p.answer()
		}
		if time.Since(begun) > idle+slack && silent != nil {
			s.all("silent: ended 1008 in time", countClosed(silent, 1008), len(silent))
			silent = nil
		}
		pause(ctx, sampled)
	}
	alive := 0
	for _, p := range living {
		alive += btoi(p.echo(time.Now().Add(clientPatience)))
	}
	s.all("answering: still there", alive, len(living))
	return nil
}

// countClosed is how many have got a close frame with the code by now.
func countClosed(peers []*peer, code ws.StatusCode) (n int) {
	for _, p := range peers {
		p.fill()
		n += btoi(p.closeCode(time.Now()) == code)
	}
	return n
}

// D3: close frames that nobody answers. The server sends them because of the
// lifetime that the row's flag sets.
func unansweredCloses(ctx context.Context, s *stage) error {
	const closeTimeout, slack = 5 * time.Second, 2 * time.Second // the gateway's default
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	closed, first, last := 0, time.Time{}, time.Time{}
	awaitAll(ctx, peers, time.Now().Add(clientPatience), func(p *peer) bool {
		if p.fill(); p.closeCode(time.Now()) != 1001 {
			return false
		}
		if last = time.Now(); closed == 0 {
			first = last
		}
		closed++
		return true
	})
	s.all("close frames", closed, s.n)
	early := s.n - awaitAll(ctx, peers, first.Add(closeTimeout-second), (*peer).ended)
	s.all("ended before the timeout", early, 0)
	s.all("left after it", awaitAll(ctx, peers, last.Add(closeTimeout+slack), (*peer).ended), 0)
	return nil
}

// D4: clients that break the protocol and go on sending.
func floodAfterFailure(ctx context.Context, s *stage) error {
	const linger, slack = 2 * time.Second, 2 * time.Second // the gateway's linger
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	junk := make([]byte, 16<<10)
	for _, p := range peers {
		p.offer([]byte("\xc3\x80\x00\x00\x00\x00")) // a reserved bit and opcode
	}
	begun, closed := time.Now(), 0
	left := awaitAll(ctx, peers, begun.Add(linger+slack), func(p *peer) bool {
		if len(p.in) == 0 {
			p.fill()
			closed += btoi(len(p.in) > 0 && p.in[0] == 0x88 && p.closeCode(time.Now()) == 1002)
		}
		p.offer(junk) // behind the end of the stream it meets a reset
		return p.broken
	})
	s.all("close frame 1002 came", closed, s.n)
	s.all("left after 4 s", left, 0)
	return nil
}

// D5: streams that end without a close frame, and resets.
func halfClosed(ctx context.Context, s *stage) error {
	const lasting = 5 * time.Second
	before, err := s.process.descriptors()
	if err != nil {
		return err
	}
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	cpu, err := s.process.cpu()
	if err != nil {
		return err
	}
	begun := time.Now()
	for i, p := range peers {
		if i%2 == 0 {
			if err := unix.Shutdown(p.fd, unix.SHUT_WR); err != nil {
				return err
			}
		}
	}
	for i := len(s.peers) - 1; i >= 0; i-- { // the others are reset
		if i%2 == 1 {
			cut(s.peers[i].fd)
			s.peers = append(s.peers[:i:i], s.peers[i+1:]...)
		}
	}
	pause(ctx, lasting)
	used, err := s.process.cpu()
	if err != nil {
		return err
	}
	s.below("CPU of a core, percent", number, 100*float64(used-cpu)/float64(time.Since(begun)), 5)
	after, err := s.process.descriptors()
	if err != nil {
		return err
	}
	s.atMost("descriptors more than before", number, float64(after-before), 0)
	return nil
}
