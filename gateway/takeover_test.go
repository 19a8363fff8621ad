//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// handedOn starts the gateway on a listening socket that it is given, as a
// service manager does.
func handedOn(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return startProgram(t, []*os.File{file}, append(env, "LISTEN_FDS=1"), args...)
}

// takeOver has the process with that number taken over, and returns the number
// of the new one, which is ended with the test.
func (p *program) takeOver(t *testing.T, pid int) int {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	line := p.waitFor(t, "taken over, draining")
	young, _ := line["pid"].(float64)
	if young <= 1 {
		t.Fatalf("no process in %v", line)
	}
	t.Cleanup(func() { _ = syscall.Kill(int(young), syscall.SIGKILL) })
	return int(young)
}

// connects counts connects of a client that never stops.
type connects struct {
	sync.WaitGroup
	mu     sync.Mutex
	done   int
	failed []error
}

// run connects again and again until ctx ends: every one must get its 101.
func (c *connects) run(ctx context.Context, host string) {
	for ctx.Err() == nil {
		conn, _, _, err := ws.Dialer{Timeout: 30 * time.Second}.Dial(context.Background(), "ws://"+host+"/echo")
		if err == nil {
			conn.Close()
		}
		c.mu.Lock()
		if c.done++; err != nil {
			c.failed = append(c.failed, err)
		}
		c.mu.Unlock()
	}
}

func (c *connects) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// wait waits until there have been n connects.
func (c *connects) wait(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); c.number() < n; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("got %d connects, want %d", c.number(), n)
		}
	}
}

// TestTakeOver is G4 of the limits, smaller: three take-overs under clients that
// connect all the time, and none of them is refused or reset.
func TestTakeOver(t *testing.T) {
	p := handedOn(t, nil, "--drain", "200ms")
	old, _ := dial(t, "ws://"+p.host+"/echo")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var load connects
	for range 4 {
		load.Go(func() { load.run(ctx, p.host) })
	}
	pid := p.Process.Pid
	for range 3 {
		before := load.number()
		pid = p.takeOver(t, pid)
		load.wait(t, before+100)
	}
	stop()
	load.Wait()
	if len(load.failed) > 0 {
		t.Errorf("%d of %d connects failed, the first: %v", len(load.failed), load.done, load.failed[0])
	}
	wantFrame(t, old, ws.OpClose, "\x03\xe9going away") // the first process has drained
	send(t, old, ws.OpClose, "\x03\xe9")
	young, _ := dial(t, "ws://"+p.host+"/echo")
	send(t, young, ws.OpText, "the last one")
	wantFrame(t, young, ws.OpText, "the last one")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, young, ws.OpClose, "\x03\xe9going away")
	send(t, young, ws.OpClose, "\x03\xe9")
	if code := p.ended(t); code != exitOK { // the log's end is that of the last process
		t.Errorf("the first process: got exit code %d, want %d", code, exitOK)
	}
}

// TestTakeOverKeepsThePorts: those that the kernel chose are the new process's,
// too: whoever was told of them finds it there.
func TestTakeOverKeepsThePorts(t *testing.T) {
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain", "0s")
	p.takeOver(t, p.Process.Pid)
	p.waitFor(t, "stopped")
	conn, _ := dial(t, "ws://"+p.host+"/echo")
	send(t, conn, ws.OpText, "the same address")
	wantFrame(t, conn, ws.OpText, "the same address")
	w, err := http.Get("http://" + p.admin + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	if w.StatusCode != http.StatusOK {
		t.Errorf("the admin port: got status %d", w.StatusCode)
	}
}

// TestTakeOverFails: the old process stays when the new one does not come up.
func TestTakeOverFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "echogate.yaml")
	if err := os.WriteFile(file, []byte("drain: 0s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := handedOn(t, nil, "--config", file)
	if err := os.WriteFile(file, []byte("drain: never\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // another try is possible
		if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		line := p.waitFor(t, "take-over failed, this process stays")
		if err, _ := line["err"].(string); !strings.Contains(err, "exit status 2") {
			t.Errorf("got reason %q, want the exit status", err)
		}
	}
	conn, _ := dial(t, "ws://"+p.host+"/echo")
	send(t, conn, ws.OpText, "still there")
	wantFrame(t, conn, ws.OpText, "still there")
}

// TestTakeOverRefused: there is nothing to start, and nothing else happens.
func TestTakeOverRefused(t *testing.T) {
	for want, x := range map[string]struct {
		g   *gateway
		pid int
	}{
		"process 1":   {&gateway{}, 1},
		"is stopping": {&gateway{stopping: 1}, 2},
		"under way":   {&gateway{starting: func() {}}, 2},
	} {
		var out bytes.Buffer
		x.g.log = slog.New(slog.NewTextHandler(&out, nil))
		x.g.takeOver(x.pid)
		if !strings.Contains(out.String(), `msg="take-over refused"`) || !strings.Contains(out.String(), want) {
			t.Errorf("got %q, want a refusal: %s", out.String(), want)
		}
	}
}

// TestServiceManager: it is told that the gateway is ready, and of the process
// that takes over.
func TestServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	told := func() string {
		t.Helper()
		var b [256]byte
		n, err := conn.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	p := handedOn(t, []string{"NOTIFY_SOCKET=" + path}, "--drain", "0s")
	if got := told(); got != "READY=1" {
		t.Fatalf("at the start: got %q", got)
	}
	young := p.takeOver(t, p.Process.Pid)
	got := []string{told(), told()} // of two processes
	slices.Sort(got)
	if want := []string{fmt.Sprintf("MAINPID=%d", young), "READY=1"}; !slices.Equal(got, want) {
		t.Errorf("after the take-over: got %q, want %q", got, want)
	}
	p.waitFor(t, "stopped")
}

func TestSuccessorEnv(t *testing.T) {
	got := successorEnv([]string{"A=1", "LISTEN_PID=7", "LISTEN_FDS=1", "LISTEN_FDNAMES=x", readyVariable + "=4", "LISTEN_FDS_TOO=1", "NOTIFY_SOCKET=s"}, []string{"public", "admin"})
	want := []string{"A=1", "LISTEN_FDS_TOO=1", "NOTIFY_SOCKET=s", "LISTEN_FDS=2", "LISTEN_FDNAMES=public:admin", readyVariable + "=5"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
