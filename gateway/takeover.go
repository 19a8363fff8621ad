//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// readyVariable names the descriptor on which the new process tells the old
	// one that it serves.
	readyVariable = "ECHOGATE_READY_FD"
	// readyTime is how long the new process may take for that.
	readyTime = 30 * time.Second
)

// successor is how a take-over went.
type successor struct {
	pid int
	err error // why there is none
}

// takeOver starts the program anew with the listening sockets, so that no
// connect is refused meanwhile. What comes of it is told on g.taken.
func (g *gateway) takeOver(pid int) {
	var err error
	switch {
	case g.stopping > 0:
		err = errors.New("this process is stopping")
	case g.starting != nil:
		err = errors.New("one is under way")
	case pid == 1:
		// The container ends with its first process, whoever came after.
		err = errors.New("this is process 1: start another container instead")
	}
	if err != nil {
		g.log.Error("take-over refused", "err", err)
		return
	}
	g.log.Info("take-over begins", "program", g.program)
	ctx, cancel := context.WithCancel(context.Background())
	g.starting = cancel
	go func() {
		pid, err := g.start(ctx)
		g.taken <- successor{pid, err}
	}()
}

// succeeded is the end of a take-over: this process drains, or stays.
func (g *gateway) succeeded(s successor) {
	g.starting()
	g.starting = nil
	if s.err != nil {
		g.log.Error("take-over failed, this process stays", "err", s.err)
		return
	}
	if err := notify(os.Getenv("NOTIFY_SOCKET"), "MAINPID="+strconv.Itoa(s.pid)); err != nil {
		g.log.Warn("the service manager was not told of the new process", "err", err)
	}
	g.Yield()
	g.admin.Yield()
	g.log.Info("taken over, draining", "pid", s.pid)
	g.stopping++
	g.stop()
}

// abandon ends a take-over that is under way: who stops the gateway does not
// want another.
func (g *gateway) abandon() {
	if g.starting == nil {
		return
	}
	g.starting()
	g.starting = nil
	if s := <-g.taken; s.err == nil { // it was faster
		_ = syscall.Kill(s.pid, syscall.SIGTERM)
	}
	g.log.Warn("take-over abandoned")
}

// start starts the new process and waits until it serves. Without it, it has
// ended when start returns.
func (g *gateway) start(ctx context.Context) (pid int, err error) {
	files, names, err := g.socketFiles()
	if err != nil {
		return 0, err
	}
	defer closeAll(files)
	ready, told, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer ready.Close()
	cmd := exec.Command(g.program, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = append(slices.Clone(files), told)
	cmd.Env = successorEnv(os.Environ(), names)
	err = cmd.Start()
	told.Close() // its own alone is open: its end is our end of file
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := waitReady(ready); err != nil {
		_ = cmd.Process.Kill()
		if ended := cmd.Wait(); errors.Is(err, io.EOF) {
			err = fmt.Errorf("the new process has ended: %w; it has logged why", ended)
		}
		return 0, err
	}
	pid = cmd.Process.Pid
	return pid, cmd.Process.Release()
}

// waitReady waits for a byte of the new process.
func waitReady(ready *os.File) error {
	if err := ready.SetReadDeadline(time.Now().Add(readyTime)); err != nil {
		return err
	}
	_, err := ready.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the new process was not ready after %s, or this one is to stop", readyTime)
	}
	return err
}

// socketFiles are duplicates of the listening sockets, with the names that tell
// the new process which is which. They share the flags of ours, and NewFile
// leaves one that does not block as it is.
func (g *gateway) socketFiles() (files []*os.File, names []string, err error) {
	fds, err := g.Sockets()
	if err != nil {
		return nil, nil, err
	}
	for _, made := range g.Made() {
		names = append(names, map[bool]string{false: publicName, true: madeName}[made])
	}
	more, err := g.admin.Sockets()
	fds, names = append(fds, more...), append(names, adminNames(g.second)...)
	files = make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), names[i])
	}
	if err != nil {
		closeAll(files)
		return nil, nil, err
	}
	return files, names, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// successorEnv is the environment of a process that gets the listening sockets
// of these names and, behind them, the descriptor for its readiness
// (sd_listen_fds(3)). LISTEN_PID stays unset: nobody knows it before the process
// is there.
func successorEnv(env []string, names []string) []string {
	ours := []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", readyVariable}
	env = slices.DeleteFunc(slices.Clone(env), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains(ours, name)
	})
	return append(env, "LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"),
		readyVariable+"="+strconv.Itoa(3+len(names)))
}

// tellReady tells whoever started this process that it serves: the process that
// it takes over from, and the service manager.
func tellReady(env func(string) (string, bool)) error {
	var errs []error
	if text, ok := env(readyVariable); ok {
		fd, err := strconv.Atoi(text)
		if err != nil || fd < 3 {
			return fmt.Errorf("%s: %q is no descriptor of ours", readyVariable, text)
		}
		f := os.NewFile(uintptr(fd), "ready")
		_, err = f.Write([]byte{1})
		errs = append(errs, err, f.Close())
	}
	address, _ := env("NOTIFY_SOCKET")
	return errors.Join(append(errs, notify(address, "READY=1"))...)
}

// notify tells the service manager something (sd_notify(3)), if there is one.
func notify(address, state string) error {
	if address == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.WriteString(conn, state)
	return err
}
