//go:build race

package poller

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

const raceBuild = true

// limits.md F4: who keeps a payload finds it overwritten, so that a test with
// the race detector shows it: at the handler's return, or, when it was sent
// back, once it was sent.
func TestKeptPayloadIsOverwritten(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{false, true} {
		var kept []byte
		s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			if kept != nil { // the second message tells what became of the first
				return c.Send(op, append([]byte(nil), kept...))
			}
			kept = p
			if answers {
				return c.Send(op, p)
			}
			return nil
		}}}, func(c *Config) { c.Loops = 1 })
		c := s.dial("/")
		c.text("precious")
		if answers {
			c.wantText("precious")
		}
		c.text("")
		_, p, err := c.read()
		if err != nil || string(p) == "precious" {
			t.Errorf("answered %t: the kept payload is %q, %v, want it overwritten", answers, p, err)
		}
	}
}

// The descriptor of a connection that ended in a read may belong to another loop
// at once: its slot is not looked at without asking whose it is.
func TestSlotOfAnEndedConnection(t *testing.T) {
	t.Parallel()
	s := start(t, echoTable, nil)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 200 {
				c, err := net.Dial("tcp", s.Addrs()[0].String())
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = c.Write([]byte(request("/echo")))
				_, _ = c.Read(make([]byte, 512)) // the 101
				_, _ = c.Write(masked(ws.OpClose, nil, true))
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}
		})
	}
	workers.Wait()
}

// A Conn that is used outside its loop is found too.
func TestConnOutsideItsLoop(t *testing.T) {
	t.Parallel()
	caught := make(chan any, 1)
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Go(func() func(*websocket.Conn) error {
			defer func() { caught <- recover() }()
			c.Handle() // must be taken on the loop
			return nil
		})
	}}}, nil)
	s.dial("/").text("go")
	if v := receive(t, caught); v == nil {
		t.Error("a Conn was used outside its loop, and nothing happened")
	}
}
