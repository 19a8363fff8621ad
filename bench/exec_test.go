package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startSelf starts this test binary as a server.
func startSelf(t *testing.T, command string) (p *program, to server) {
	t.Helper()
	t.Setenv(asProgram, "1")
	command, urls, err := withPort(command, []string{"ws://127.0.0.1:" + portPlace + "/echo"})
	if err != nil {
		t.Fatal(err)
	}
	if to, err = lookUp(context.Background(), urls[0], nil); err != nil {
		t.Fatal(err)
	}
	if p, err = startProgram(context.Background(), command, &to, nil); err != nil {
		t.Fatal(err)
	}
	return p, to
}

// wantSilence fails if anything listens at the address.
func wantSilence(t *testing.T, to server) {
	t.Helper()
	network, address := to.dialled()
	if conn, err := net.Dial(network, address); err == nil {
		conn.Close()
		t.Errorf("something still listens on %s", address)
	}
}

// A server is asked to end, and has the time to do so.
func TestExecEndsWithSIGTERM(t *testing.T) {
	p, to := startSelf(t, os.Args[0]+" --orderly 127.0.0.1:{port}")
	p.stop()
	if code := p.ProcessState.ExitCode(); code != 0 || !strings.Contains(p.output.String(), "ended in order") {
		t.Errorf("got exit code %d and %q, want 0 and what it says on SIGTERM", code, p.output.String())
	}
	wantSilence(t, to)
}

// One that does not end is killed when its time is over, and so is what it has
// started.
func TestExecThatDoesNotEndIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "child")
	p, to := startSelf(t, fmt.Sprintf(`sh -c 'trap "" TERM; sleep 1000 & echo $! > %s; exec %s --stubborn 127.0.0.1:{port}'`, file, os.Args[0]))
	child, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p.patience = 50 * time.Millisecond
	p.stop()
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, want SIGKILL", p.ProcessState)
	}
	wantSilence(t, to)
	pid, err := strconv.Atoi(strings.TrimSpace(string(child)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server's child has ended", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ") // nobody may be there to reap it
	})
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(waitAtMost); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("after %v it does not hold that %s", waitAtMost, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A load generator that is killed takes its server with it.
func TestServerDoesNotOutliveTheRun(t *testing.T) {
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + port
	c, _, errOut := benchCommand(t, "echo", "-d", "10m", "--exec", os.Args[0]+" --listen "+address, "ws://"+address+"/echo")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	listens := func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	eventually(t, "the server listens", listens)
	_ = c.Process.Kill()
	_ = c.Wait()
	eventually(t, "the server has ended: "+errOut.String(), func() bool { return !listens() })
}

// The default URL is that of the server, if the command has a place for its
// port; and its metrics have a port of their own.
func TestExecWithoutURL(t *testing.T) {
	r := result(t, "echo", "-c", "3", "-n", "30", "--exec", os.Args[0]+" --listen 127.0.0.1:{port}")
	if r.Count != 30 || r.Server == nil {
		t.Errorf("got %d messages, figures of the server: %v", r.Count, r.Server)
	}
	file := filepath.Join(t.TempDir(), "s")
	r = result(t, "echo", "-c", "3", "-n", "30", "--exec", os.Args[0]+" --listen "+file, "ws+unix:"+file+":/echo")
	if r.Count != 30 || r.Server == nil {
		t.Errorf("unix socket: got %d messages, figures of the server: %v", r.Count, r.Server)
	}
	command, metrics, err := withAdminPort("x --admin :{admin}", "http://127.0.0.1:{admin}/metrics")
	_, port, _ := strings.Cut(command, ":")
	if err != nil || metrics != "http://127.0.0.1:"+port+"/metrics" || port == adminPlace {
		t.Errorf("got %q and %q, %v, want the same port in both", command, metrics, err)
	}
}
