package checks

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process runs until its test ends. It leads a group of its own, which ends
// with it.
type process struct {
	*exec.Cmd
	ended chan struct{} // closed when nobody writes to its log any more

	mu  sync.Mutex
	log []string // its lines, oldest first
}

// spawn starts cmd and collects what it writes.
func spawn(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, ended: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stdout, p.Stderr = w, w
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = p.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		defer r.Close()
		p.collect(r)
	}()
	t.Cleanup(func() {
		p.stop()
		<-p.ended
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(p.Path), strings.Join(p.lines(), "\n"))
		}
	})
	return p
}

func (p *process) collect(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.log = append(p.log, s.Text())
		p.mu.Unlock()
	}
}

// stop ends the process with SIGTERM, which it must obey in time.
func (p *process) stop() {
	if p.ProcessState != nil {
		return
	}
	kill := time.AfterFunc(patience, func() { _ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL) })
	_ = p.Process.Signal(syscall.SIGTERM)
	_ = p.Wait()
	kill.Stop()
	// Workers of a proxy that outlived their master.
	_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log...)
}

// entries are the log lines with that message, as a gateway writes them.
func (p *process) entries(msg string) []map[string]any {
	var found []map[string]any
	for _, text := range p.lines() {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == msg {
			found = append(found, line)
		}
	}
	return found
}

// A server is a gateway with its addresses.
type server struct {
	*process
	addrs []string // public
	admin string
}

// serve starts the gateway on free ports, unless args say where.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	line := append([]string{"--admin", "127.0.0.1:0", "--drain", "100ms", "--log-format", "json"}, args...)
	if !strings.Contains(strings.Join(args, " "), "--listen") {
		line = append(line, "--listen", "127.0.0.1:0")
	}
	return listening(t, spawn(t, exec.Command(program(t), line...)))
}

// listening waits until p, which is a gateway, has said where it listens.
func listening(t *testing.T, p *process) *server {
	t.Helper()
	eventually(t, "the gateway listens", func() bool { return len(p.entries("listening")) > 0 || p.gone() })
	if p.gone() {
		t.Fatalf("%v has ended", p.Args)
	}
	s, start := &server{process: p}, p.entries("listening")[0]
	for _, addr := range start["addrs"].([]any) {
		s.addrs = append(s.addrs, addr.(string))
	}
	s.admin = start["admin"].([]any)[0].(string)
	return s
}

// freeAddr is an address that was free a moment ago, for programs that cannot
// say which port the kernel gave them.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
