package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stage is one row being played: a server of its own, the hostile clients, and
// what was found.
type stage struct {
	n        int    // hostile clients
	offer    string // of extensions; empty: none
	server   server
	sockaddr unix.Sockaddr
	family   int
	program  *program
	process  *Process
	peers    []*peer
	checks
}

// newStage starts the server.
func newStage(ctx context.Context, command string, n int) (*stage, error) {
	command, urls, err := withPort(command, []string{scheme(command) + "://127.0.0.1:" + portPlace + "/echo"})
	if err != nil {
		return nil, err
	}
	s := &stage{n: n}
	if s.server, err = lookUp(ctx, urls[0], nil); err != nil {
		return nil, err
	}
	s.sockaddr, s.family = s.server.sockaddr()
	if s.program, err = startProgram(ctx, command, &s.server, nil); err != nil {
		return nil, err
	}
	if s.process, err = OpenProcess(s.program.Process.Pid, ""); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	s.leave()
	s.program.stop()
}

// leave cuts all hostile clients.
func (s *stage) leave() {
	for _, p := range s.peers {
		cut(p.fd)
	}
	s.peers = nil
}

// play plays the row among its bystanders and judges what they noticed.
func (s *stage) play(ctx context.Context, r *row, quiet time.Duration) error {
	if r.alone {
		pause(ctx, settling) // the connection that found the server listening is to be gone
		return r.play(ctx, s)
	}
	before, err := s.bystanders(quiet).run(ctx)
	if err != nil {
		return err
	}
	end, err := s.beginBystanders(ctx)
	if err != nil {
		return err
	}
	err = r.play(ctx, s)
	during, lost := end()
	if err != nil {
		return err
	}
	if lost != nil {
		return lost
	}
	s.compareBystanders(r, before, during)
	return nil
}

// Bystanders are 100 connections that echo 64 bytes in a closed loop.
const (
	bystanderCount = 100
	bystanderSize  = 64
	bystanderEvery = 100 * time.Millisecond
)

// bystanders measures them, in a process of their own: what the hostile clients
// cost this one is not the server's doing.
func (s *stage) bystanders(d time.Duration) *measurement {
	return &measurement{
		load: load{
			Mode: modeEcho, Servers: []server{s.server}, Size: bystanderSize, Duration: d, Timeout: clientPatience,
			Connections: bystanderCount, InFlight: bystanderCount, Pipeline: 1, Messages: -1, Insecure: true,
		},
		procs: 1, interval: bystanderEvery, show: func(Live) {},
	}
}

// beginBystanders returns when they echo. They do until end is called, which
// must be.
func (s *stage) beginBystanders(ctx context.Context) (end func() (*Result, error), err error) {
	return begin(ctx, s.bystanders(rowTime))
}

// begin runs a measurement and returns when it has the first echo. It goes on
// until end is called, which must be.
func begin(ctx context.Context, m *measurement) (end func() (*Result, error), err error) {
	ctx, cancel := context.WithCancel(ctx)
	echoing, over := make(chan struct{}), make(chan struct{})
	begun := sync.OnceFunc(func() { close(echoing) })
	show := m.show
	m.show = func(l Live) {
		if l.Count > 0 {
			begun()
		}
		show(l)
	}
	var r *Result
	var failed error
	go func() {
		defer close(over)
		r, failed = m.run(ctx)
	}()
	end = func() (*Result, error) {
		cancel()
		<-over
		return r, failed
	}
	select {
	case <-echoing:
		return end, nil
	case <-over:
	case <-time.After(clientPatience + 2*m.interval): // an echo is seen at the end of an interval
	}
	if _, err := end(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the bystanders cannot echo")
}

// compareBystanders judges what the bystanders noticed.
func (s *stage) compareBystanders(r *row, before, during *Result) {
	quiet, p99 := micros(before.Latency.P99), micros(during.Latency.P99)
	s.note("bystanders' p99 quiet", duration, quiet)
	switch {
	case r.slower > 0:
		s.below("bystanders' p99", duration, p99, r.slower*quiet)
	case r.p99 > 0:
		s.below("bystanders' p99", duration, p99, micros(Micros(r.p99)))
	default:
		s.note("bystanders' p99", duration, p99)
	}
	s.atMost("bystanders lost", number, float64(during.Lost), 0)
}

// rss is the server's memory, exact; 0 when it has ended.
func (s *stage) rss() float64 {
	rss, _, err := s.process.memory()
	if err != nil {
		return 0
	}
	return float64(rss)
}

// sampled is how often the server's memory is looked at while a row is played.
const sampled = 50 * time.Millisecond

// watchRSS looks at the server's memory until peak is called, which returns the
// most that was seen.
func (s *stage) watchRSS() (peak func() float64) {
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		every := time.NewTicker(sampled)
		defer every.Stop()
		var highest int64
		for {
			if rss, err := s.process.RSS(); err == nil {
				highest = max(highest, rss)
			}
			select {
			case <-every.C:
			case <-stop:
				most <- float64(highest)
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-most
	}
}

// pause lets the server go on for d, or until the row's time is over.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// awaitAll looks at the peers every sampled until cond holds for each of them
// or the time is over, and returns how many are left.
func awaitAll(ctx context.Context, peers []*peer, till time.Time, cond func(*peer) bool) (left int) {
	rest := append([]*peer(nil), peers...)
	for {
		k := 0
		for _, p := range rest {
			if !cond(p) {
				rest[k] = p
				k++
			}
		}
		if rest = rest[:k]; k == 0 || ctx.Err() != nil || time.Now().After(till) {
			return k
		}
		pause(ctx, sampled)
	}
}

// since is how long ago t was, as a figure.
func since(t time.Time) float64 { return micros(Micros(time.Since(t))) }

// length is a time as a figure.
func length(d time.Duration) float64 { return micros(Micros(d)) }
