//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// asProgram makes the test binary be the gateway.
const asProgram = "ECHOGATE_TEST_BE_THE_PROGRAM"

// program is the gateway as a process of its own.
type program struct {
	*exec.Cmd
	host  string // where it listens
	admin string // where its admin port does
	log   *bufio.Reader
	start map[string]any // its start line
}

// startProgram starts the gateway and waits for its start line. files are handed
// on as descriptors from 3 on. Unless told otherwise it has no admin port: the
// default one is there once on a machine.
func startProgram(t *testing.T, files []*os.File, env []string, args ...string) *program {
	t.Helper()
	if !slices.Contains(args, "--admin") && !slices.Contains(env, "ECHOGATE_ADMIN=") {
		args = append([]string{"--admin", "off"}, args...)
	}
	return startCommand(t, exec.Command(os.Args[0], args...), files, env)
}

// startCommand is startProgram for a command that becomes the gateway.
func startCommand(t *testing.T, cmd *exec.Cmd, files []*os.File, env []string) *program {
	t.Helper()
	p := &program{Cmd: cmd}
	p.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	p.ExtraFiles = files
	log, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	p.log = bufio.NewReader(log)
	line := p.waitFor(t, "listening")
	p.start = line
	addrs, _ := line["addrs"].([]any)
	if len(addrs) == 0 {
		t.Fatalf("start line without addresses: %v", line)
	}
	p.host = addrs[0].(string)
	if addrs, _ = line["admin"].([]any); len(addrs) > 0 {
		p.admin = addrs[0].(string)
	}
	return p
}

// waitFor reads the log up to the line with that message.
func (p *program) waitFor(t *testing.T, msg string) map[string]any {
	t.Helper()
	for last := ""; ; {
		text, err := p.log.ReadString('\n')
		if err != nil {
			t.Fatalf("no log line %q before %v; the last: %s", msg, err, last)
		}
		last = text
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == msg {
			return line
		}
	}
}

// ended waits for the process and returns its exit code.
func (p *program) ended(t *testing.T) int {
	t.Helper()
	kill := time.AfterFunc(20*time.Second, func() { _ = p.Process.Kill() })
	defer kill.Stop()
	_, _ = io.Copy(io.Discard, p.log)
	_ = p.Wait()
	return p.ProcessState.ExitCode()
}

func TestSIGTERMDrains(t *testing.T) {
	for code, want := range map[string]string{"1001": "\x03\xe9going away", "1012": "\x03\xf4service restart"} {
		p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--drain", "100ms", "--drain-code", code)
		conn, _ := dial(t, "ws://"+p.host+"/echo")
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		wantFrame(t, conn, ws.OpClose, want)
		send(t, conn, ws.OpClose, want[:2])
		if code := p.ended(t); code != exitOK {
			t.Errorf("got exit code %d, want %d", code, exitOK)
		}
	}
}

// TestListenerDiesExits1: a gateway that can accept nobody any more ends, with
// the reason in its log, so that whoever watches it starts another. The socket is
// shut down by the process that shares it.
func TestListenerDiesExits1(t *testing.T) {
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
	p := startProgram(t, []*os.File{file}, []string{"LISTEN_FDS=1"})
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var down error
	if err := raw.Control(func(fd uintptr) { down = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }); err != nil || down != nil {
		t.Fatal(err, down)
	}
	line := p.waitFor(t, "failed")
	if err, _ := line["err"].(string); !strings.Contains(err, "accept on "+ln.Addr().String()) {
		t.Errorf("got reason %q, want one that names accept and %s", err, ln.Addr())
	}
	if code := p.ended(t); code != exitFailed {
		t.Errorf("got exit code %d, want %d", code, exitFailed)
	}
}

func TestSecondSignalCuts(t *testing.T) {
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--drain", "1h", "--drain-timeout", "2h")
	conn, _ := dial(t, "ws://"+p.host+"/echo")
	for _, line := range []string{"draining", "cutting all connections"} {
		if err := p.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		p.waitFor(t, line)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("got %v, want a reset", err)
	}
	if code := p.ended(t); code != exitFailed {
		t.Errorf("got exit code %d, want %d", code, exitFailed)
	}
}

// A socket that systemd, or the process before this one, has opened is served;
// connections that wait in its backlog are not lost.
func TestInheritedListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	early, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	p := startProgram(t, []*os.File{file}, []string{"LISTEN_FDS=1"})
	ln.Close()
	if p.host != ln.Addr().String() {
		t.Fatalf("serves %s, want the inherited %s", p.host, ln.Addr())
	}
	_ = early.SetDeadline(time.Now().Add(10 * time.Second))
	target := &url.URL{Scheme: "ws", Host: p.host, Path: "/echo"}
	if _, _, err := (ws.Dialer{}).Upgrade(early, target); err != nil {
		t.Fatal(err)
	}
	send(t, early, ws.OpText, "early")
	wantFrame(t, early, ws.OpText, "early")
}

func TestBadStartExits2(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--max-message", "lots"}, "--max-message"},
		{[]string{"--no-such-flag"}, "--no-such-flag"},
		{[]string{"--compression-level", "10"}, "--compression-level"},
		{[]string{"--compression-threshold", "-1"}, "--compression-threshold"},
		{[]string{"--listen", taken.Addr().String(), "--admin", "off"}, "address already in use"},
		{[]string{"--listen", "127.0.0.1:0", "--admin", "off", "--max-connections", "100000000"}, "descriptor"},
		{[]string{"--listen", "127.0.0.1:0", "--admin", taken.Addr().String()}, "--admin: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		{[]string{"--listen", "127.0.0.1:9990", "--admin", ":9990"}, "--admin"},
	} {
		c := exec.Command(os.Args[0], x.args...)
		c.Env = append(os.Environ(), asProgram+"=1")
		out, _ := c.CombinedOutput()
		if code := c.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(out), x.want) {
			t.Errorf("%v: got exit code %d and %q, want %d and %q", x.args, code, out, exitUsage, x.want)
		}
	}
}
