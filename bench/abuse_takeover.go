package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// G4: take-overs by SIGUSR2, one after the other, while clients connect all the
// time.
func takeOvers(ctx context.Context, s *stage) error {
	const times = 10
	w := s.startStorm(ctx, s.n, 0, comes)
	defer w.running.Wait()
	defer w.stop()
	process, taken := s.process, 0
	for ; taken < times && ctx.Err() == nil; taken++ {
		pause(ctx, second/2) // between two of them, too
		young, err := takeOver(ctx, process, s.program.Process.Pid)
		if err != nil {
			return fmt.Errorf("take-over %d: %w", taken+1, err)
		}
		process = young
	}
	pause(ctx, second) // the last one is to serve, too
	w.stop()
	rate := w.wait()
	s.all("take-overs", taken, times)
	s.judgeStorm(w, rate)
	s.note("connections in all", number, float64(w.done.Load()))
	return nil
}

// takeOver has a process taken over, and returns the new one when the old one
// has drained and ended. Both are of the process group.
func takeOver(ctx context.Context, old *Process, group int) (young *Process, err error) {
	if err := syscall.Kill(old.pid, syscall.SIGUSR2); err != nil {
		return nil, err
	}
	for begun := time.Now(); ; pause(ctx, sampled) {
		if _, err := old.stat(); err != nil {
			break
		}
		if ctx.Err() != nil || time.Since(begun) > stopTime {
			return nil, fmt.Errorf("process %d has not been taken over after %v", old.pid, stopTime)
		}
	}
	left, err := groupMembers(group)
	if err == nil && len(left) != 1 {
		err = fmt.Errorf("%d processes are left, not one", len(left))
	}
	if err != nil {
		return nil, err
	}
	return left[0], nil
}

// groupMembers are the living processes of a process group.
func groupMembers(group int) (members []*Process, err error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		pid, notOne := strconv.Atoi(name)
		if notOne != nil {
			continue
		}
		of, gone := unix.Getpgid(pid)
		if gone != nil || of != group {
			continue
		}
		if p, ended := OpenProcess(pid, ""); ended == nil {
			members = append(members, p)
		}
	}
	return members, err
}
