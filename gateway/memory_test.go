//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestMaxBuffered(t *testing.T) {
	_, unset, err := parse(nil, lookup(nil), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, set, err := parse([]string{"--max-buffered=256MiB"}, lookup(nil), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, off, err := parse(nil, lookup(map[string]string{"ECHOGATE_MAX_BUFFERED": "0"}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name        string
		c           *Config
		limit, want int64
	}{
		{"no limit", unset, 0, 256 << 20},
		{"a quarter", unset, 128 << 20, 32 << 20},
		{"a quarter of much", unset, 64 << 30, 16 << 30},
		{"given", set, 128 << 20, 256 << 20},
		{"given, no limit", set, 0, 256 << 20},
		{"off", off, 128 << 20, 0},
	} {
		if got := tt.c.maxBuffered(tt.limit); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestHeapLimit(t *testing.T) {
	for _, tt := range []struct{ limit, buffered, want int64 }{
		{1000 << 20, 250 << 20, 650 << 20},
		{1000 << 20, 0, 900 << 20},
		{1000 << 20, 500 << 20, 500 << 20}, // it gets half, however large the buffers may become
		{1000 << 20, 1 << 40, 500 << 20},
		{128 << 20, 32 << 20, 83 << 20},
	} {
		if got := heapLimit(tt.limit, tt.buffered); got != tt.want {
			t.Errorf("%d with buffers of %d: got %d, want %d", tt.limit, tt.buffered, got, tt.want)
		}
	}
}

// group is a control group with a memory limit.
type group struct {
	dir   string
	v2    bool
	bytes int64
}

// memoryGroup makes a control group below this process's own, of version 1 or 2.
func memoryGroup(t *testing.T, bytes int64) group {
	t.Helper()
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	g := group{bytes: bytes}
	name := fmt.Sprintf("echogate-test-%d", os.Getpid())
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root := "/sys/fs/cgroup/memory"
		if g.v2 = fields[0] == "0"; g.v2 {
			root = "/sys/fs/cgroup"
		} else if fields[1] != "memory" {
			continue
		}
		g.dir = filepath.Join(root, fields[2], name)
		if err = g.make(); err == nil {
			break
		}
	}
	if err != nil {
		if os.Getenv("ECHOGATE_TEST_CGROUP") == "required" {
			t.Fatalf("a control group is required here: %v", err)
		}
		t.Skipf("no control group: %v", err)
	}
	t.Cleanup(func() { g.remove(t) })
	return g
}

func (g group) make() error {
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return err
	}
	file := "memory.limit_in_bytes"
	if g.v2 {
		file = "memory.max"
	}
	err := os.WriteFile(filepath.Join(g.dir, file), []byte(strconv.FormatInt(g.bytes, 10)), 0o644)
	if err != nil {
		_ = os.Remove(g.dir)
	}
	return err
}

// remove removes the group, which must be empty: its last process may be on its
// way still.
func (g group) remove(t *testing.T) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		if err = os.Remove(g.dir); err == nil {
			return
		}
	}
	t.Error(err)
}

// kills is how many processes the kernel has killed for want of memory.
func (g group) kills(t *testing.T) int {
	t.Helper()
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	data, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "oom_kill ")
	n, err := strconv.Atoi(strings.TrimSpace(rest))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return n
}

// inGroup starts the gateway as a process of the group.
func (g group) start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	return startCommand(t, exec.Command("/bin/sh", append([]string{"-c",
		`echo $$ >"$0/cgroup.procs" && exec "$@"`, g.dir, os.Args[0]}, args...)...), nil, env)
}

// C6 of the limits, and the load of C4 at a smaller number: a gateway with 128 MiB
// to live in is sent many times as much, in messages that do not end. It is not
// killed, and others echo.
func TestMemoryLimit(t *testing.T) {
	g := memoryGroup(t, 128<<20)
	p := g.start(t, nil, "--listen=127.0.0.1:0", "--admin=off")
	for key, want := range map[string]string{"memory_limit": "128MiB", "max_buffered": "32MiB", "heap_limit": "83MiB"} {
		if got := p.start[key]; got != want {
			t.Errorf("%s: got %v, want %s", key, got, want)
		}
	}
	echo := func() {
		t.Helper()
		conn, _ := dial(t, "ws://"+p.host+"/echo")
		send(t, conn, ws.OpText, "x")
		wantFrame(t, conn, ws.OpText, "x")
		conn.Close()
	}
	const connections = 600
	unfinished := bytes.Repeat([]byte("x"), 1<<20)
	head := []byte{0x82, 0xff, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0} // 1 MiB, masked with zeros
	var open []net.Conn
	for i := range connections {
		conn, _ := dial(t, "ws://"+p.host+"/echo")
		open = append(open, conn)
		_, err := conn.Write(append(head, unfinished[1:]...))
		var ended *net.OpError
		if err != nil && !errors.As(err, &ended) { // others' 1013 is not the subject
			t.Fatal(err)
		}
		if i%100 == 99 {
			echo()
		}
	}
	echo()
	if n := g.kills(t); n != 0 {
		t.Errorf("the kernel has killed %d", n)
	}
	for _, conn := range open {
		conn.Close()
	}
	echo()
}

// GOMEMLIMIT by hand, and --max-buffered, are left as they are.
func TestMemoryLimitByHand(t *testing.T) {
	g := memoryGroup(t, 128<<20)
	p := g.start(t, []string{"GOMEMLIMIT=100MiB"}, "--listen=127.0.0.1:0", "--admin=off", "--max-buffered=48MiB")
	for key, want := range map[string]string{"memory_limit": "128MiB", "max_buffered": "48MiB", "heap_limit": "100MiB"} {
		if got := p.start[key]; got != want {
			t.Errorf("%s: got %v, want %s", key, got, want)
		}
	}
}
