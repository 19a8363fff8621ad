package main

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
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

// E5: connections that come and go, so many a second.
func acceptStorm(ctx context.Context, s *stage) error {
	const lasting, clients = 5 * time.Second, 16
	begun := time.Now()
	var done, failed atomic.Int64
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			mine := stage{server: s.server, sockaddr: s.sockaddr, family: s.family}
			tick := time.NewTicker(clients * second / time.Duration(s.n))
			defer tick.Stop()
			for time.Since(begun) < lasting && ctx.Err() == nil {
				if _, err := mine.open(1, dialing{}); err != nil {
					failed.Add(1)
				}
				done.Add(1)
				mine.leave()
				<-tick.C
			}
		})
	}
	running.Wait()
	// A storm that this machine could not raise proves nothing.
	s.atLeast("connections a second", number, float64(done.Load())/time.Since(begun).Seconds(), 0.9*float64(s.n))
	s.all("failed", int(failed.Load()), 0)
	return nil
}

// G1: SIGTERM while everybody waits for an echo.
func drained(ctx context.Context, s *stage) error {
	const drainTimeout, bucket, patient = 8 * time.Second, 100 * time.Millisecond, 10 * time.Second // the gateway's default
	peers, err := s.open(s.n, dialing{})
	if err != nil {
		return err
	}
	message := clientFrame(ws.OpText, true, []byte("taken"))
	for _, p := range peers {
		p.offer(message)
	}
	begun := time.Now()
	if err := s.program.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	d := drain{begun: begun, bucket: bucket, in: make(map[int]int)}
	left := len(peers)
	for left > 0 && time.Since(begun) < patient && ctx.Err() == nil {
		left -= d.look(peers)
	}
	s.all("echoes", d.echoes, s.n)
	s.all("got 1001", d.closed, s.n)
	most := 0
	for _, n := range d.in {
		most = max(most, n)
	}
	s.atMost("of them in one 100 ms, percent", number, 100*float64(most)/float64(s.n), 5)
	select {
	case <-s.program.ended:
	case <-time.After(patient):
	}
	s.atMost("ended within", duration, since(begun), length(drainTimeout+second))
	s.all("exit code", s.program.exitCode(), 0)
	return nil
}

// exitCode is -1 while the server runs.
func (p *program) exitCode() int {
	select {
	case <-p.ended:
		return p.ProcessState.ExitCode()
	default:
		return -1
	}
}

// drain counts what clients get while a server stops.
type drain struct {
	begun          time.Time
	bucket         time.Duration
	in             map[int]int // close frames by their bucket
	echoes, closed int
}

// look waits for events on all peers at once, takes what has come, answers
// close frames, and returns how many have ended.
func (d *drain) look(peers []*peer) (ended int) {
	fds := make([]unix.PollFd, len(peers))
	for i, p := range peers {
		fds[i] = unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN}
		if p.over {
			fds[i].Fd = -1 // poll passes over it
		}
	}
	if n, err := unix.Poll(fds, int(d.bucket.Milliseconds())); err != nil || n == 0 {
		return 0
	}
	for i, p := range peers {
		if fds[i].Revents != 0 {
			p.fill()
			d.take(p)
			ended += btoi(p.over)
		}
	}
	return ended
}

func (d *drain) take(p *peer) {
	for {
		op, payload, ok := p.frame(time.Time{})
		switch {
		case !ok:
			return
		case op == ws.OpText && string(payload) == "taken":
			d.echoes++
		case op == ws.OpClose && len(payload) >= 2 && payload[0] == 0x03 && payload[1] == 0xe9: // 1001
			d.closed++
			d.in[int(time.Since(d.begun)/d.bucket)]++
			p.offer(clientFrame(ws.OpClose, true, payload[:2]))
		}
	}
}
