package poller

import (
	"bytes"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// limits.md D5, conformance L1: FIN without a close frame, anywhere.
func TestFINWithoutClose(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	for i, part := range [][]byte{
		nil,
		masked(ws.OpText, []byte("frame"), true)[:3],
		masked(ws.OpText, []byte("frame"), true)[:9],
		masked(ws.OpText, []byte("fragment"), false),
		append(raw(0x82, 1<<20), make([]byte, 100_000)...),
	} {
		c := s.dial("/")
		c.write(part)
		_ = c.CloseWrite()
		c.wantEOF()
		s.wantClosed(websocket.CauseEOF, uint64(i+1))
	}
}

// limits.md D5, conformance L2: all that a half-closed peer has sent is echoed,
// and then the connection ends in order; here the server has a backlog.
func TestHalfCloseWithBacklog(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": narrow}, nil)
	c := s.dialNarrow("/")
	go func() {
		_, _ = c.Write(many(300, masked(ws.OpBinary, pattern(4096, 1), true)))
		_ = c.CloseWrite()
	}()
	s.until("a backlog", func(got Stats) bool { return got.Paused == 1 })
	for range 300 {
		c.want(ws.OpBinary, pattern(4096, 1))
	}
	c.wantEOF()
	s.wantClosed(websocket.CauseEOF, 1)
}

// The same while a job holds the connection, with and without more to read.
func TestHalfCloseWithJob(t *testing.T) {
	t.Parallel()
	for _, messages := range []int{1, 3} {
		begun, work := make(chan struct{}, messages), make(chan struct{})
		s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			p = bytes.Clone(p)
			return c.Go(func() func(*websocket.Conn) error {
				begun <- struct{}{}
				<-work
				return func(c *websocket.Conn) error { return c.Send(op, p) }
			})
		}}}, func(c *Config) { c.Loops = 1 })
		c := s.dial("/")
		c.write(many(messages, masked(ws.OpBinary, pattern(4096, 1), true)))
		receive(t, begun)
		_ = c.CloseWrite()
		s.until("a FIN that the loop has seen", func(got Stats) bool { return got.Busy == 1 || got.Connections == 0 })
		close(work)
		for range messages {
			c.want(ws.OpBinary, pattern(4096, 1))
		}
		c.wantEOF()
		s.wantClosed(websocket.CauseEOF, 1)
	}
}

// limits.md D5, conformance L3: a reset while the server has more to write.
func TestResetInMidWrite(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": narrow}, nil)
	for i := range 3 {
		c := s.dialNarrow("/")
		c.stuff(many(300, masked(ws.OpBinary, make([]byte, 4096), true)))
		s.until("a backlog", func(got Stats) bool { return got.Paused == 1 })
		c.reset()
		s.wantClosed(websocket.CauseReset, uint64(i+1))
	}
}

// A reset of a connection that is not read ends it too, bytes before it or
// none: there is nobody to resume for.
func TestResetWhilePaused(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		c.Pause()
		return c.Send(ws.OpText, []byte("paused"))
	}}}, nil)
	for i, messages := range []int{1, 2} {
		c := s.dial("/")
		c.write(many(messages, masked(ws.OpText, []byte("pause"), true)))
		c.wantText("paused")
		c.reset()
		s.wantClosed(websocket.CauseReset, uint64(i+1))
	}
}

// limits.md D5: peers that have sent FIN and do not read what they are owed cost
// no time: no event comes again and again.
func TestHalfClosedPeersDoNotSpin(t *testing.T) {
	t.Parallel()
	p := startProcess(t, nil)
	frames := many(20, masked(ws.OpBinary, make([]byte, 4096), true))
	for range 50 {
		c := connectTo(t, p.addr, 4<<10).upgrade("/narrow")
		c.write(frames)
		_ = c.CloseWrite()
	}
	var before answer
	eventually(t, "50 backlogs", func() bool {
		before = p.tell("stats")
		return before.Stats.Paused == 50
	})
	begun := time.Now()
	eventually(t, "a second", func() bool { return time.Since(begun) > time.Second })
	after := p.tell("stats")
	if used, passed := after.CPU-before.CPU, time.Since(begun); used > passed/2 {
		t.Errorf("used %s of processor time in %s, want next to none", used, passed)
	}
	if after.Stats.Paused != 50 {
		t.Errorf("got %d paused, want 50", after.Stats.Paused)
	}
}
