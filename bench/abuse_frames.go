package main

import (
	"bytes"
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

// B2: a message of 64 KiB fragments that has no end.
func endlessMessages(ctx context.Context, s *stage) error {
	const most = 4 * maxMessage // then the client gives up
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	fragment, ended, sent := make([]byte, 64<<10), 0, 0
	till := time.Now().Add(clientPatience)
	for _, p := range peers {
		op, mine := ws.OpBinary, 0
		for mine < most && len(p.in) == 0 && !p.broken && ctx.Err() == nil {
			mine += p.write(clientFrame(op, false, fragment), till)
			op = ws.OpContinuation
			p.fill()
		}
		sent = max(sent, mine)
		ended += btoi(p.closeCode(till) == 1009)
	}
	s.all("ended 1009", ended, s.n)
	s.note("sent at most until then", size, float64(sent))
	return nil
}

// B3: a million empty fragments, spread over two seconds so that what others
// notice can be measured.
func emptyFragments(ctx context.Context, s *stage) error {
	const pieces, gap = 40, 50 * time.Millisecond
	peers, err := s.open(1, dialing{})
	if err != nil {
		return err
	}
	p, till := peers[0], time.Now().Add(rowTime)
	piece := bytes.Repeat(clientFrame(ws.OpContinuation, false, nil), s.n/pieces)
	pause(ctx, settling)
	before, peak := s.rss(), s.watchRSS()
	p.write(clientFrame(ws.OpBinary, false, nil), till)
	for i := 0; i < pieces && ctx.Err() == nil; i++ {
		p.write(piece, till)
		pause(ctx, gap)
	}
	p.write(clientFrame(ws.OpContinuation, true, nil), till)
	op, payload, ok := p.frame(till)
	s.add("one empty message came back", number, float64(btoi(ok)), "= 1", ok && op == ws.OpBinary && len(payload) == 0)
	s.atMost("growth of the server", size, peak()-before, noise)
	return nil
}

// noise is what a server's memory moves by itself: for +0.
const noise = 1 << 20

// B3: one fragment more than the gateway's default allows.
func tooManyFragments(_ context.Context, s *stage) error {
	const fragments = 1 << 16
	peers, err := s.open(1, dialing{})
	if err != nil {
		return err
	}
	till := time.Now().Add(clientPatience)
	peers[0].write(clientFrame(ws.OpBinary, false, nil), till)
	peers[0].write(bytes.Repeat(clientFrame(ws.OpContinuation, false, nil), fragments), till)
	s.all("close code", int(peers[0].closeCode(till)), 1008)
	return nil
}

// pings is how many bytes of pings B6 sends.
const pings = 100 << 20

// flood sends up to n bytes of pings until the server ends that or takes no
// more for a while, and returns how many it took.
func flood(ctx context.Context, p *peer, n int) (sent int) {
	const stuck = 5 * time.Second
	piece := bytes.Repeat(clientFrame(ws.OpPing, true, make([]byte, 125)), 500)
	for sent < n && !p.broken && ctx.Err() == nil {
		took := p.write(piece, time.Now().Add(stuck))
		if sent += took; took < len(piece) {
			break
		}
	}
	return sent
}

// B6: pings whose pongs nobody reads, against the budget. A close frame cannot
// pass a full socket: that there is one shows another client, which reads.
func pingBudget(ctx context.Context, s *stage) error {
	const budget = 2_000 // the gateway's default, in 10 s
	peers, err := s.open(2, dialing{})
	if err != nil {
		return err
	}
	before, peak := s.rss(), s.watchRSS()
	s.below("taken of 100 MiB", size, float64(flood(ctx, peers[0], pings)), pings)
	s.atMost("growth of the server", size, peak()-before, 2<<20)
	till := time.Now().Add(clientPatience)
	left := awaitAll(ctx, peers[:1], till, (*peer).ended)
	s.all("left", left, 0)
	ping := clientFrame(ws.OpPing, true, nil)
	for range budget + 1 {
		peers[1].write(ping, till)
		peers[1].fill()
	}
	s.all("close code", int(peers[1].closeCode(till)), 1008)
	return nil
}

// B6: the same without the budget. The output limits hold: what is not read
// stops the reading.
func unreadPongs(ctx context.Context, s *stage) error {
	peers, err := s.open(1, dialing{})
	if err != nil {
		return err
	}
	before, peak := s.rss(), s.watchRSS()
	sent := flood(ctx, peers[0], pings)
	s.below("taken of 100 MiB", size, float64(sent), pings)
	s.atMost("growth of the server", size, peak()-before, 2<<20)
	return nil
}

// B7: frames of 6 bytes as fast as the connection takes them.
func firehose(ctx context.Context, s *stage) error {
	const lasting = 5 * time.Second
	peers, err := s.open(1, dialing{})
	if err != nil {
		return err
	}
	p, sent := peers[0], 0
	piece := bytes.Repeat(clientFrame(ws.OpBinary, true, nil), 10_000)
	begun := time.Now()
	for time.Since(begun) < lasting && !p.broken && ctx.Err() == nil {
		sent += p.offer(piece[sent%len(piece):])
		if p.ended() { // reads the echoes
			break
		}
	}
	s.add("the firehose lives", number, float64(btoi(!p.over)), "= 1", !p.over)
	s.note("frames sent in a second", number, float64(sent/6)/time.Since(begun).Seconds())
	return nil
}

// B8: a message of which a byte comes now and then.
func drippedMessages(ctx context.Context, s *stage) error {
	const timeout, every, slack = 5 * time.Second, 500 * time.Millisecond, 2 * time.Second // timeout: the row's flag
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	begun := time.Now()
	for _, p := range peers {
		p.write(clientHeader(ws.OpBinary, true, 1000), begun.Add(clientPatience))
	}
	early := 0
	for time.Since(begun) < timeout+slack && ctx.Err() == nil {
		for _, p := range peers {
			p.offer([]byte("x"))
			p.fill()
			early += btoi(len(p.in) > 0 && time.Since(begun) < timeout-every)
		}
		pause(ctx, every)
	}
	ended := 0
	for _, p := range peers {
		ended += btoi(p.closeCode(time.Now()) == 1008)
	}
	s.all("ended before the timeout", early, 0)
	s.all("ended 1008 in 2 s after it", ended, s.n)
	return nil
}
