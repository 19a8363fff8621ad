package poller

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestYield: the socket lives on in who was given it, and what waited in its
// backlog is there for him to accept; connections stay until the end.
func TestYield(t *testing.T) {
	s := prepare(t, echoTable, nil)
	real, full := s.accept, atomic.Bool{}
	s.accept = func(fd int) (int, syscall.Errno) {
		if full.Load() {
			return -1, syscall.EAGAIN
		}
		return real(fd)
	}
	s.run()
	c := s.dial("/echo")
	full.Store(true)
	waiting := s.connect()
	fds, err := s.Sockets()
	if err != nil || len(fds) != 1 {
		t.Fatalf("got %v, %v, want one socket", fds, err)
	}
	file := os.NewFile(uintptr(fds[0]), "listener")
	other, err := net.FileListener(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	// The loop could accept from the moment on at which it is to leave.
	release := s.block(s.loops[0])
	if err := s.loops[0].mail.post(s.loops[0], letter{kind: letterTask, task: func() { full.Store(false) }}); err != nil {
		t.Fatal(err)
	}
	s.Yield()
	close(release)
	s.onLoops(func(*loop) {})
	if _, err := s.Sockets(); err == nil {
		t.Error("a server that has yielded gave its sockets")
	}
	c.echo("still served")
	s.stop()
	c.wantClose(1001)
	c.finish(1001)
	_ = other.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	got, err := other.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.RemoteAddr().String() != waiting.LocalAddr().String() {
		t.Errorf("got the connection of %v, want that of %v", got.RemoteAddr(), waiting.LocalAddr())
	}
}
