package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// lane is a load loop as its parent sees it: in this process, or in one of
// its own.
type lane struct {
	commands chan<- command // when it is closed the loop ends at once
	pid      int
	wait     func() // after its last report
}

// startHere starts a loop in this process.
func startHere(s *share, reports chan<- report) *lane {
	commands := make(chan command, commandsMost)
	var loop sync.WaitGroup
	loop.Go(func() { runLoop(s, commands, reports) })
	return &lane{commands, os.Getpid(), loop.Wait}
}

// commandsMost is how many commands a loop ever gets: nobody waits to give one.
const commandsMost = 4

// startProcess starts a loop in a process of its own, which is this program.
// The two talk JSON, a line each: first the share, then commands; reports come
// back. A process that sees the end of what it reads ends too.
func startProcess(s *share, reports chan<- report, on cpuSet) (*lane, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(program, commandWorker)
	c.Stderr = os.Stderr
	// Ctrl-C is for the parent: it asks its workers for what they have.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := on.start(c); err != nil {
		return nil, fmt.Errorf("worker process: %w", err)
	}
	commands := make(chan command, commandsMost)
	var both sync.WaitGroup
	both.Go(func() { writeCommands(in, s, commands) })
	both.Go(func() {
		if err := readReports(out, reports); err != nil {
			_ = c.Process.Kill() // what cannot be understood must not go on
			_ = c.Wait()
			reports <- report{Worker: s.Index, Failed: fmt.Sprintf("worker process %d ended early: %v (%v)", s.Index, c.ProcessState, err)}
			return
		}
		_ = c.Wait() // its last report said how it ended
	})
	return &lane{commands, c.Process.Pid, both.Wait}, nil
}

// writeCommands writes the share, and the commands as they come.
func writeCommands(w io.WriteCloser, s *share, commands <-chan command) {
	defer w.Close()
	e := json.NewEncoder(w)
	err := e.Encode(s)
	for c := range commands {
		if err == nil { // else its reports have ended too, which says so
			err = e.Encode(c)
		}
	}
}

// readReports hands on what a worker process reports. One that ends before its
// run is over has failed.
func readReports(r io.Reader, reports chan<- report) error {
	d := json.NewDecoder(r)
	for {
		var rep report
		if err := d.Decode(&rep); err != nil {
			return err
		}
		reports <- rep
		if rep.last() {
			return nil
		}
	}
}

// work is what a worker process does: a share that it reads from in.
func work(in io.Reader, out io.Writer) error {
	d := json.NewDecoder(in)
	s := new(share)
	if err := d.Decode(s); err != nil {
		return fmt.Errorf("worker process: %w", err)
	}
	commands := make(chan command, commandsMost)
	go func() { // ends with the process, which the end of in ends
		defer close(commands)
		for {
			var c command
			if d.Decode(&c) != nil {
				return
			}
			commands <- c
		}
	}()
	reports := make(chan report, reportsHeld)
	go runLoop(s, commands, reports)
	e := json.NewEncoder(out)
	for rep := range reports {
		if err := e.Encode(rep); err != nil {
			return fmt.Errorf("worker process: %w", err)
		}
		if rep.last() {
			break
		}
	}
	return nil
}
