package poller

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// brief sets the times of silence.
func brief(ping, idle time.Duration) func(*Config) {
	return func(c *Config) { c.Limits.PingInterval, c.Limits.IdleTimeout = ping, idle }
}

// limits.md D1: after silence there is a ping, and one every interval after,
// with the loop's clock in it; who answers nothing is ended with 1008.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, brief(100*time.Millisecond, 500*time.Millisecond))
	c := s.dial("/")
	var clocks []time.Duration // the loop's, of the pings
	for {
		op, p, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if op == ws.OpClose {
			if !bytes.Equal(p, closeBody(1008, "idle")) {
				t.Errorf("got close frame %q, want 1008 idle", p)
			}
			break
		}
		if op != ws.OpPing || len(p) != 8 {
			t.Fatalf("got opcode %d %q, want a ping with 8 bytes", op, p)
		}
		clocks = append(clocks, time.Duration(binary.BigEndian.Uint64(p)))
	}
	// A late loop sends one late and the next in time, but never two for one
	// interval: of three, the first and the last have a whole one between them.
	for i := 2; i < len(clocks); i++ {
		if since := clocks[i] - clocks[i-2]; since < 80*time.Millisecond {
			t.Errorf("got three pings in %s", since)
		}
	}
	pings := len(clocks)
	if pings < 1 || pings > 5 {
		t.Errorf("got %d pings in 500 ms, want one in about 100 ms", pings)
	}
	c.finish(1008)
	s.wantClosed(websocket.CauseIdle, 1)
}

// limits.md D1: who answers pings stays; so does who only sends.
func TestAnsweringStays(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, brief(200*time.Millisecond, time.Second))
	c := s.dial("/")
	for range 8 { // for longer than the idle time
		op, p, err := c.read()
		if err != nil || op != ws.OpPing {
			t.Fatalf("got opcode %d %q, %v, want a ping", op, p, err)
		}
		c.send(ws.OpPong, p)
	}
	c.text("still there")
	for {
		op, p, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if op == ws.OpPing {
			continue
		}
		if string(p) != "still there" {
			t.Fatalf("got opcode %d %q, want the echo", op, p)
		}
		break
	}
	c.Close()
	s.wantClosed(websocket.CauseEOF, 1)
}

// limits.md D1: while a job holds a connection it cannot show life, so its time
// of silence rests, and begins anew afterwards.
func TestIdleRestsWhileHeld(t *testing.T) {
	t.Parallel()
	begun, work := make(chan struct{}), make(chan struct{})
	held := websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Go(func() func(*websocket.Conn) error {
			close(begun)
			<-work
			return func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("done")) }
		})
	}}
	s := start(t, map[string]websocket.Route{"/": echoing, "/held": held}, func(c *Config) {
		brief(-1, 3*time.Second)(c)
		c.Loops = 1
	})
	c := s.dial("/held")
	c.text("work")
	receive(t, begun)
	s.dial("/").wantClose(1008) // the idle time of one that came later has passed
	close(work)
	c.wantText("done")
	seen := s.tick()
	eventually(t, "some ticks", func() bool { return s.tick() > seen+5 })
	c.send(ws.OpPing, []byte("still there"))
	c.want(ws.OpPong, []byte("still there"))
	c.wantClose(1008)
}

// limits.md D2: a lifetime ends what lives.
func TestLifetime(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Limits.MaxLifetime = 200 * time.Millisecond })
	c := s.dial("/")
	c.wantClose(1001)
	c.finish(1001)
	s.wantClosed(websocket.CauseLifetime, 1)
}

// limits.md B8: a message that has begun must end in time.
func TestMessageTimeout(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name string
		part []byte
	}{
		{"fragment", masked(ws.OpText, []byte("begun"), false)},
		{"small frame", masked(ws.OpText, []byte("begun"), true)[:8]},
		{"large frame", append(raw(0x81, 1<<20), "begun"...)},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Limits.MessageTimeout = 200 * time.Millisecond })
			c := s.dial("/")
			c.write(x.part)
			c.wantClose(1008)
			c.wantEOF()
			c.Close()
			s.wantClosed(websocket.CauseMessageTimeout, 1)
		})
	}
}

// closing closes on every message.
var closing = websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
	return c.Close(4000, "bye")
}}

// limits.md D3: a close frame that is answered ends the connection, the server
// first; one that is not answered ends it at the deadline, whatever the peer
// sends meanwhile.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": closing}, func(c *Config) { c.Limits.CloseTimeout = 300 * time.Millisecond })
	good, silent, busy := s.dial("/"), s.dial("/"), s.dial("/")
	for _, c := range []*client{good, silent, busy} {
		c.text("close, please")
		c.wantClose(4000)
	}
	good.send(ws.OpText, []byte("crossed the close frame")) // dropped (RFC 6455 §5.5.1)
	good.finish(4000)
	eventually(t, "an end of who sends on", func() bool {
		_, err := busy.Write(masked(ws.OpText, []byte("more"), true))
		return err != nil
	})
	silent.wantReset()
	s.wantClosed(websocket.CauseCloseTimeout, 2)
	s.wantClosed(websocket.CauseHandler, 1)
}

// limits.md D4: the close frame arrives although the peer goes on flooding, and
// the server listens to that for a bounded number of bytes only.
func TestFloodAfterFailure(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	c := s.dial("/")
	flooded := make(chan error, 1)
	go func() {
		b := append([]byte("\x81\x01x"), make([]byte, 1<<16)...) // unmasked
		var err error
		for err == nil {
			_, err = c.Write(b)
		}
		flooded <- err
	}()
	c.wantClose(1002)
	if err := receive(t, flooded); err == nil {
		t.Error("the flood did not end")
	}
	s.wantClosed(websocket.CauseProtocol, 1)
}

// limits.md D4: and for a bounded time.
func TestSilenceAfterFailure(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	c := s.dial("/")
	c.write([]byte("\x81\x01x"))
	c.wantClose(1002)
	c.wantEOF()
	s.wantClosed(websocket.CauseProtocol, 1) // the client has not closed
}

// limits.md D6: a loop that was away reads what came meanwhile before it looks
// at deadlines that have passed: who has sent in time is not idle.
func TestLateLoop(t *testing.T) {
	t.Parallel()
	socket := make(chan int, 1)
	s := start(t, map[string]websocket.Route{"/": {
		Open:    func(c *websocket.Conn) error { socket <- int(c.ID()); return nil },
		Message: echoing.Message,
	}}, func(c *Config) {
		brief(-1, time.Second)(c)
		c.Loops, c.LoopWarn = 1, 0
	})
	for i := range 5 {
		c := s.dial("/")
		release := s.blockLoop()
		waitReadable(t, s.loops[0].timer) // so the loop comes to its clock first
		c.text("in time")
		waitUnread(t, receive(t, socket), 1)
		// The loop's clock jumps as if it had been away for so long. It is
		// blocked, and without a watchdog nobody else reads the clock.
		s.Server.start = s.Server.start.Add(-3 * time.Second)
		close(release)
		c.wantText("in time")
		c.Close()
		s.wantClosed(websocket.CauseEOF, uint64(i+1))
		s.until("a late tick", func(got Stats) bool { return got.LateTicks >= uint64(i+1) && got.MaxLag >= 2900 })
	}
}

// waitReadable waits until a descriptor is readable, and does not read it.
func waitReadable(t *testing.T, fd int) {
	t.Helper()
	eventually(t, "a readable descriptor", func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err == nil && n == 1
	})
}
