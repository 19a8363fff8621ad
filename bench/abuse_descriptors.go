package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// E1: the limit on descriptors is lowered under a running server to those that
// it has open. Clients wait in the backlog; when some of those that are served
// go, others take their places.
func outOfDescriptors(ctx context.Context, s *stage) error {
	const lasting = 5 * time.Second
	served, err := s.open(s.n/2, dialing{})
	if err != nil {
		return err
	}
	before, err := s.process.limitDescriptors()
	if err != nil {
		return err
	}
	waiting, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	for _, p := range waiting {
		p.offer(s.request())
	}
	pause(ctx, settling)
	cpu, err := s.process.cpu()
	if err != nil {
		return err
	}
	begun := time.Now()
	pause(ctx, lasting)
	used, err := s.process.cpu()
	if err != nil {
		return err
	}
	s.below("CPU of a core, percent", number, 100*float64(used-cpu)/float64(time.Since(begun)), 5)
	echoed := 0
	for _, p := range served {
		echoed += btoi(p.echo(soon()))
	}
	s.all("served: echo as before", echoed, len(served))
	return s.descriptorsBack(ctx, waiting, before)
}

// descriptorsBack has half of as many clients as wait go, then raises the limit.
func (s *stage) descriptorsBack(ctx context.Context, waiting []*peer, limit unix.Rlimit) error {
	places := s.n / 2
	s.all("others served meanwhile", upgraded(ctx, waiting, 1, time.Now()), 0)
	for _, p := range s.peers[:places] {
		cut(p.fd)
	}
	s.peers = s.peers[places:]
	begun := time.Now()
	n := upgraded(ctx, waiting, places, begun.Add(clientPatience))
	s.atMost("served clients go: their places used within", duration, since(begun), length(second))
	s.all("  by others", n, places)
	begun = time.Now()
	if err := unix.Prlimit(s.process.pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		return err
	}
	n = upgraded(ctx, waiting, s.n, begun.Add(clientPatience))
	// The longest pause between two tries is a second.
	s.atMost("limit raised: the rest served within", duration, since(begun), length(second+second/10))
	s.all("  all of them", n, s.n)
	return nil
}

// upgraded waits until n of the peers have got a 101, now or before, and
// returns how many have.
func upgraded(ctx context.Context, peers []*peer, n int, till time.Time) (got int) {
	for {
		got = 0
		for _, p := range peers {
			if p.tx == 0 && p.status(time.Time{}) == 101 {
				p.tx = 1
			}
			got += int(p.tx)
		}
		if got >= n || ctx.Err() != nil || !time.Now().Before(till) {
			return got
		}
		pause(ctx, tickTime)
	}
}

// limitDescriptors lets the process open none above those that it has, and
// returns the limit that it had.
func (p *Process) limitDescriptors() (before unix.Rlimit, err error) {
	names, err := p.descriptorNames()
	if err != nil {
		return before, err
	}
	free := 0 // the kernel takes the lowest free number: there are no gaps
	for slices.Contains(names, strconv.Itoa(free)) {
		free++
	}
	if err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		return before, err
	}
	limit := unix.Rlimit{Cur: uint64(free), Max: before.Max}
	return before, unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, &limit, nil)
}
