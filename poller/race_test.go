//go:build race

package poller

import (
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
