package poller

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// End(HalfClose) ends our side alone: what the peer still sends, more than a
// lingering connection would take, is read until it ends, too.
func TestEndHalfClose(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		defer c.End(websocket.HalfClose)
		return c.Send(op, p)
	}}}, nil)
	c := s.dial("/")
	c.text("last")
	c.wantText("last")
	c.wantEOF()
	for range 10 * lingerBytes / 4096 {
		c.send(ws.OpBinary, make([]byte, 4096))
	}
	if got := s.Stats(); got.Connections != 1 {
		t.Errorf("%d connections while the peer goes on sending", got.Connections)
	}
	_ = c.CloseWrite()
	s.wantClosed(websocket.CauseHandler, 1)
}

// A handshake that Conn.Wait has put off is not late: its request came in time.
func TestWaitOutlastsHandshakeTimeout(t *testing.T) {
	const timeout = 50 * time.Millisecond
	l := still(t, limited(func(c *Config) {
		c.HandshakeTimeout = timeout
		c.Routes = compiled(t, map[string]websocket.Route{"/echo": {
			Upgrade: func(c *websocket.Conn, _ *websocket.Request) error { return c.Wait(5 * timeout) },
			Message: echo,
		}})
	}))
	c := connect(t, l)
	c.sends([]byte(hello))
	for range 6 {
		later(t, l, timeout)
		l.takeTurns()
	}
	if got := c.receives(); !c.is(l) || !c.ws.Open() || !bytes.HasPrefix(got, []byte("HTTP/1.1 101 ")) {
		t.Errorf("got %q, timeouts %v, want a 101 in the end", got, l.stats.Timeouts)
	}
}

// What a route holds back counts to the bound on all buffers: above it those who
// hold some are ended, and others live on.
func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	const bound, clients = 1 << 20, 20
	holding := websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, p []byte) error {
		held, _ := c.Value().([][]byte)
		c.Attach(append(held, c.Hold(p)))
		return nil
	}, Close: func(c *websocket.Conn, _ websocket.CloseError) {
		held, _ := c.Value().([][]byte)
		for _, b := range held {
			c.Free(b)
		}
	}}
	s := start(t, map[string]websocket.Route{"/": echoing, "/hold": holding}, func(c *Config) { c.MaxBuffered, c.Loops = bound, 1 })
	bystander := s.dial("/")
	for range clients {
		c := s.dial("/hold")
		for range 4 {
			_, _ = c.Write(masked(ws.OpBinary, make([]byte, 60<<10), true)) // it may have been ended
			bystander.echo("still there")
		}
		if got := s.Stats(); got.Buffered > bound+128<<10 {
			t.Fatalf("got %d bytes in buffers, want at most %d", got.Buffered, bound+128<<10)
		}
	}
	s.until("some ended", func(got Stats) bool { return got.Closed[websocket.CauseMemory] >= clients/4 })
}

// A request knows both ends of its connection.
func TestRequestAddresses(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": {HTTP: func(w *websocket.Response, r *websocket.Request) error {
		w.Body = []byte(r.Remote().String() + " to " + r.Local().String())
		return nil
	}}}, nil)
	c := s.connect()
	c.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	want := c.LocalAddr().String() + " to " + s.Addrs()[0].String()
	var got strings.Builder
	for !strings.HasSuffix(got.String(), want) {
		b := make([]byte, 512)
		n, err := c.r.Read(b)
		if got.Write(b[:n]); err != nil {
			t.Fatalf("got %q, want %q at the end", got.String(), want)
		}
	}
}

// A route with Wire over TCP: it sees every byte once, in order, and large frames
// are read all the same.
func TestWireOverTCP(t *testing.T) {
	t.Parallel()
	seen := make(chan int, 1<<16)
	s := start(t, map[string]websocket.Route{"/": {Message: echoing.Message, Wire: func(_ *websocket.Conn, b []byte) (int, error) {
		n := min(len(b), 10_000)
		seen <- n
		return n, nil
	}}}, nil)
	c := s.dial("/")
	sum := 0
	for _, size := range []int{0, 125, 70_000, 1 << 20, 3} {
		frame := masked(ws.OpBinary, pattern(size, 1), true)
		sum += len(frame)
		go func() { _, _ = c.Write(frame) }()
		c.want(ws.OpBinary, pattern(size, 1))
	}
	c.send(ws.OpClose, closeBody(1000, ""))
	c.wantClose(1000)
	s.wantClosed(websocket.CausePeer, 1)
	for close(seen); ; {
		n, ok := <-seen
		if !ok {
			break
		}
		sum -= n
	}
	if want := -len(masked(ws.OpClose, closeBody(1000, ""), true)); sum != want {
		t.Errorf("Wire saw %d bytes more than were sent", want-sum)
	}
}
