package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuSet is the cores that a process may run on. Nil is all that we may.
type cpuSet []int

// UnmarshalText reads 1, 0-3 or 0,2-3.
func (s *cpuSet) UnmarshalText(text []byte) error {
	bad := fmt.Errorf("%q is no set of cores: accepted are numbers and ranges as 1, 0-3, 0,2-3", text)
	*s = nil
	for part := range strings.SplitSeq(string(text), ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 10)
		to, err2 := strconv.ParseUint(last, 10, 10)
		if err != nil || err2 != nil || from > to {
			return bad
		}
		for n := from; n <= to; n++ {
			*s = append(*s, int(n))
		}
	}
	return nil
}

// start starts c on the cores: a process inherits those of the thread that
// starts it, and so begins on them.
func (s cpuSet) start(c *exec.Cmd) error {
	if s == nil {
		return c.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, n := range s {
		set.Set(n)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("run on the cores %v: %w", []int(s), err)
	}
	err := c.Start()
	if back := unix.SchedSetaffinity(0, &before); err == nil {
		err = back
	}
	return err
}
