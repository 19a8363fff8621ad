package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSize is the largest payload: a few of them are held in memory.
const maxSize = 256 << 20

// check finds what does not go together, and names the flag.
func (f *loadFlags) check() error {
	switch {
	case f.Connections < 1:
		return fmt.Errorf("--connections: at least 1, not %d", f.Connections)
	case f.Size > maxSize:
		return fmt.Errorf("--size: at most %v, not %v", Size(maxSize), f.Size)
	case f.Duration <= 0:
		return fmt.Errorf("--duration: more than 0, not %v", f.Duration)
	case f.Timeout <= 0:
		return fmt.Errorf("--timeout: more than 0, not %v", f.Timeout)
	case f.InFlight < 1:
		return fmt.Errorf("--in-flight: at least 1, not %d", f.InFlight)
	case f.Procs < 0 || f.Procs > f.Connections:
		return fmt.Errorf("--procs: from 1 to the number of connections, %d, not %d", f.Connections, f.Procs)
	}
	for _, name := range f.Subprotocol {
		if !isToken(name) {
			return fmt.Errorf("--subprotocol: %q is not a name", name)
		}
	}
	for i, u := range f.URL {
		if _, _, err := parseURL(strings.ReplaceAll(u, portPlace, "0")); err != nil {
			return fmt.Errorf("url %d: %w", i+1, err)
		}
	}
	return nil
}

func (f *watchFlags) check() error {
	switch {
	case f.Every < tickTime:
		return fmt.Errorf("--every: at least %v, not %v", tickTime, f.Every)
	case f.Exec != "" && len(f.Pid) > 0:
		return fmt.Errorf("--pid and --exec: only one of them")
	case f.Metrics != "" && f.Exec == "" && len(f.Pid) == 0:
		return fmt.Errorf("--metrics: of which process? --pid or --exec says so")
	}
	return nil
}

func (f *runFlags) check() error {
	if err := f.loadFlags.check(); err != nil {
		return err
	}
	if f.Payload != "" && f.given["size"] {
		return fmt.Errorf("--size and --payload: only one of them")
	}
	inURL := strings.Contains(strings.Join(f.urls(), " "), portPlace)
	switch inExec := strings.Contains(f.Exec, portPlace); {
	case inURL && !inExec:
		return fmt.Errorf("--exec: %s in a URL needs one in the command", portPlace)
	case inExec && !inURL:
		return fmt.Errorf("--exec: %s in the command needs one in the URL, as ws://127.0.0.1:%[1]s/echo", portPlace)
	}
	return f.watchFlags.check()
}

// urls are those that were given, or the one of the server of --exec.
func (f *runFlags) urls() []string {
	if len(f.URL) == 1 && f.URL[0] == defaultURL && strings.Contains(f.Exec, portPlace) {
		return []string{"ws://127.0.0.1:" + portPlace + "/echo"}
	}
	return f.URL
}

func (c *echoCommand) check() error {
	switch {
	case c.Pipeline < 1:
		return fmt.Errorf("--pipeline: at least 1, not %d", c.Pipeline)
	case c.Messages < 0:
		return fmt.Errorf("--messages: at least 0, not %d", c.Messages)
	}
	return c.runFlags.check()
}

func (c *rateCommand) check() error {
	if c.Rate <= 0 {
		return fmt.Errorf("--rate: more than 0, not %v", c.Rate)
	}
	return c.runFlags.check()
}

func (c *slowCommand) check() error {
	if c.Control < 1 {
		return fmt.Errorf("--control: at least 1, not %d", c.Control)
	}
	return c.runFlags.check()
}

func (c *mixedCommand) check() error {
	switch {
	case c.Pipeline < 1:
		return fmt.Errorf("--pipeline: at least 1, not %d", c.Pipeline)
	case c.Active < 1:
		return fmt.Errorf("--active: at least 1, not %d", c.Active)
	}
	return c.runFlags.check()
}

// reserve is how many descriptors a process needs besides its connections.
const reserve = 64

// checkDescriptors: connections over procs must fit, and the message has both
// numbers.
func checkDescriptors(connections, procs int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil // then the kernel says so later
	}
	most := max(int(limit.Cur)-reserve, 1)
	each := (connections + max(procs, 1) - 1) / max(procs, 1)
	if each <= most {
		return nil
	}
	return fmt.Errorf("--connections: a process may open %d descriptors, %d connections need --procs %d",
		limit.Cur, connections, (connections+most-1)/most)
}
