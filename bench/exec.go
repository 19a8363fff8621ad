package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// portPlace stands for a free port in a command and its URL, adminPlace for a
// second one, where its metrics are.
const (
	portPlace  = "{port}"
	adminPlace = "{admin}"
)

const (
	startTime = 20 * time.Second // that a server may take to listen
	stopTime  = 20 * time.Second // that it may take to end after SIGTERM
)

// program is a server that was started for a run.
type program struct {
	*exec.Cmd
	output   tail
	patience time.Duration // between SIGTERM and SIGKILL
	ended    chan struct{} // closed when it has
}

// startProgram starts a server, as `sh` understands the command, and waits
// until something accepts connections where it is to listen.
func startProgram(ctx context.Context, command string, to *server, on cpuSet) (*program, error) {
	network, address := to.dialled()
	if conn, err := net.DialTimeout(network, address, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("--exec: something listens on %v already, which would be measured instead", address)
	}
	// With exec the shell becomes the server: its figures are those of its pid.
	p := &program{Cmd: exec.Command("sh", "-c", "exec "+command), patience: stopTime, ended: make(chan struct{})}
	p.Stdout, p.Stderr = &p.output, &p.output
	p.WaitDelay = stopTime
	// Ctrl-C is for us: what the server did until then is to be measured. But it
	// must not outlive us, whatever ends us. The kernel looks at the thread that
	// started it, which Go keeps.
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := on.start(p.Cmd); err != nil {
		return nil, fmt.Errorf("--exec: %w", err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait()
	}()
	if err := p.listening(ctx, network, address); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// listening waits until the server accepts connections.
func (p *program) listening(ctx context.Context, network, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	try := time.NewTicker(tickTime)
	defer try.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			return hangUp(conn.(halfCloser))
		}
		select {
		case <-p.ended:
			return fmt.Errorf("--exec: the server ended before it listened on %v: %v%s", address, p.ProcessState, &p.output)
		case <-ctx.Done():
			return fmt.Errorf("--exec: nothing listens on %v: %w%s", address, context.Cause(ctx), &p.output)
		case <-try.C:
		}
	}
}

// hangUp ends a connection and waits, for a second at most, until the server
// has done so too: it must not be among what the server held before the run.
func hangUp(conn halfCloser) error {
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	if conn.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn) // what ends it does not matter
	}
	return conn.Close()
}

// halfCloser is a connection of TCP or of a unix socket.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// stop ends the server, and what it may have started itself.
func (p *program) stop() {
	_ = syscall.Kill(-p.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(p.patience):
	}
	_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// tail keeps the last that a server has written, for the case that it fails,
// and counts its lines.
type tail struct {
	last  []byte
	lines atomic.Int64
}

const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	t.last = append(t.last, p...)
	if n := len(t.last) - maxTail; n > 0 {
		t.last = append(t.last[:0], t.last[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	text := bytes.TrimSpace(t.last)
	if len(text) == 0 {
		return ""
	}
	return "; it wrote:\n" + string(text)
}

// freePort is one that nobody listens on now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port), nil
}

// withPort replaces {port} in a command and its URLs by a free one.
func withPort(command string, urls []string) (string, []string, error) {
	if !strings.Contains(command+strings.Join(urls, " "), portPlace) {
		return command, urls, nil
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	replaced := make([]string, len(urls))
	for i, u := range urls {
		replaced[i] = strings.ReplaceAll(u, portPlace, port)
	}
	return strings.ReplaceAll(command, portPlace, port), replaced, nil
}

// withAdminPort replaces {admin} in a command and the URL of its metrics.
func withAdminPort(command, metrics string) (string, string, error) {
	if !strings.Contains(command+metrics, adminPlace) {
		return command, metrics, nil
	}
	port, err := freePort()
	if err != nil {
		return "", "", err
	}
	return strings.ReplaceAll(command, adminPlace, port), strings.ReplaceAll(metrics, adminPlace, port), nil
}
