package main

import (
	"context"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

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
