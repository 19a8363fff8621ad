package poller

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// TestSocketBuffer: connections have what was asked for, on a listener that was
// inherited too; without it the kernel tunes them.
func TestSocketBuffer(t *testing.T) {
	got := make(chan [2]int, 1)
	look := websocket.Route{Open: func(c *websocket.Conn) error {
		receive, _ := unix.GetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ := unix.GetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_SNDBUF)
		got <- [2]int{receive, send}
		return nil
	}}
	const size = 16 << 10
	fd, addr := inheritable(t, "127.0.0.1")
	s := start(t, map[string]websocket.Route{"/echo": look}, func(c *Config) {
		c.Listen, c.Inherited, c.SocketBuffer = []string{"127.0.0.1:0", addr}, []int{fd}, size
	})
	for _, a := range s.Addrs() {
		s.dialAt(a.String(), "/echo")
		if have := receive(t, got); have != [2]int{2 * size, 2 * size} { // the kernel doubles it
			t.Errorf("%s: got %v, want twice %d", a, have, size)
		}
	}
	path := filepath.Join(t.TempDir(), "gate.sock")
	start(t, map[string]websocket.Route{"/echo": look}, func(c *Config) {
		listenUnix(path)(c)
		c.SocketBuffer = size
	})
	dialUnix(t, path)
	if have := receive(t, got); have[1] != 2*size {
		t.Errorf("unix: got %v, want to send with twice %d", have, size)
	}
	s = start(t, map[string]websocket.Route{"/echo": look}, nil)
	s.dial("/echo")
	if have := receive(t, got); have[0] == 2*size || have[1] == 2*size {
		t.Errorf("off: got %v, want the kernel's own", have)
	}
}

// A size that the kernel does not grant is said.
func TestSocketBufferCut(t *testing.T) {
	s := start(t, echoTable, func(c *Config) { c.SocketBuffer = 1 << 30 })
	if n := s.log.lines("the kernel gives less"); n != 2 {
		t.Errorf("got %d lines, want one for each direction: %s", n, s.log)
	}
	s.dial("/echo").echo("x")
}
