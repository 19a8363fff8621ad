package poller

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// raw is a frame header of a client, whatever it declares, with mask key 0.
func raw(first byte, length uint64) []byte {
	b := []byte{first, 0x80 | 127}
	b = binary.BigEndian.AppendUint64(b, length)
	return append(b, 0, 0, 0, 0)
}

// many is a frame n times.
func many(n int, frame []byte) []byte { return bytes.Repeat(frame, n) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// failures is what ends a connection with a close code: limits.md B1 to B6. The
// limits are those of TestFailedConnections.
var failures = []struct {
	name  string
	in    []byte
	code  ws.StatusCode
	cause websocket.Cause
}{
	{"B1 over the limit", raw(0x82, 1<<20+1), 1009, websocket.CauseTooBig},
	{"B1 lying", raw(0x82, 1<<62), 1009, websocket.CauseTooBig},
	{"B1 top bit", raw(0x82, 1<<63), 1002, websocket.CauseProtocol},
	{"B2 sum of fragments", join(masked(ws.OpBinary, make([]byte, 1<<20), false), masked(ws.OpContinuation, []byte("x"), true)), 1009, websocket.CauseTooBig},
	{"B2 sum that overflows", join(masked(ws.OpBinary, []byte("x"), false), raw(0x00, 1<<63-1)), 1009, websocket.CauseTooBig},
	{"B3 empty fragments", join(masked(ws.OpText, nil, false), many(101, masked(ws.OpContinuation, nil, false))), 1008, websocket.CauseFragments},
	{"B4 unmasked", []byte("\x81\x01x"), 1002, websocket.CauseProtocol},
	{"B4 reserved bit", masked(ws.OpText|0x40, nil, true), 1002, websocket.CauseProtocol},
	{"B4 opcode", masked(3, nil, true), 1002, websocket.CauseProtocol},
	{"B4 long ping", masked(ws.OpPing, make([]byte, 126), true), 1002, websocket.CauseProtocol},
	{"B4 stray continuation", masked(ws.OpContinuation, nil, true), 1002, websocket.CauseProtocol},
	{"B4 close of one byte", masked(ws.OpClose, []byte{3}, true), 1002, websocket.CauseProtocol},
	{"B4 close code", masked(ws.OpClose, closeBody(1005, ""), true), 1002, websocket.CauseProtocol},
	{"B5 text", masked(ws.OpText, []byte("\xff"), true), 1007, websocket.CauseUTF8},
	{"B5 first byte of two", masked(ws.OpText, []byte("\xc3"), true), 1007, websocket.CauseUTF8},
	{"B5 at the first bad byte", append(raw(0x81, 1<<19), "good \xff"...), 1007, websocket.CauseUTF8},
	{"B5 reason", masked(ws.OpClose, closeBody(1000, "\xff"), true), 1007, websocket.CauseUTF8},
	{"B6 pongs", many(201, masked(ws.OpPong, nil, true)), 1008, websocket.CauseControlFlood},
}

// What is complete before an offence is echoed; then the connection ends with
// the close code although its peer is in the midst of sending: closing at once
// would make the kernel reset it, and the close frame could be lost.
func TestFailedConnections(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Limits.MaxFragments, c.Limits.MaxControlRate = 100, 200
	})
	for _, x := range failures {
		t.Run(x.name, func(t *testing.T) {
			s := s.in(t)
			before := s.Stats().Closed[x.cause]
			c := s.dial("/")
			c.write(join(masked(ws.OpText, []byte("before"), true), x.in, make([]byte, 16<<10)))
			c.wantText("before")
			c.wantClose(x.code)
			c.wantEOF()
			for range 3 {
				c.write(make([]byte, 1<<10))
			}
			c.Close()
			s.wantClosed(x.cause, before+1)
		})
	}
}

// limits.md B1: the limit is that of the route, and exact, for a frame that is
// there at once too.
func TestMessageLimitOfRoute(t *testing.T) {
	t.Parallel()
	small := echoing
	small.Limits.MaxMessage = 100
	s := start(t, map[string]websocket.Route{"/": echoing, "/small": small}, nil)
	c := s.dial("/small")
	c.send(ws.OpBinary, make([]byte, 100))
	c.want(ws.OpBinary, make([]byte, 100))
	c.send(ws.OpBinary, make([]byte, 101))
	c.wantClose(1009)
	s.dial("/").echo(string(make([]byte, 101)))
	c.Close()
}

// limits.md B1: what a header declares takes no memory, only what has come.
func TestDeclaredTakesNoMemory(t *testing.T) {
	t.Parallel()
	const n = 50
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	for range n {
		s.dial("/").write(append(raw(0x82, 1<<20), 'x'))
	}
	s.until("all of it taken", func(got Stats) bool { return got.Busy == n && got.Buffered > 0 })
	if got := s.Stats().Buffered; got > n*4096 { // 10 times the 420 bytes of the row's figure
		t.Errorf("got %d bytes in buffers for %d headers", got, n)
	}
}

// limits.md B3: empty fragments, as many as may be, cost no memory.
func TestEmptyFragmentsTakeNoMemory(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	c := s.dial("/")
	c.write(masked(ws.OpText, nil, false))
	c.write(many(60_000, masked(ws.OpContinuation, nil, false)))
	c.send(ws.OpPing, []byte("so far"))
	c.want(ws.OpPong, []byte("so far"))
	if got := s.Stats().Buffered; got > 4096 {
		t.Errorf("got %d bytes in buffers, want next to none", got)
	}
	c.send(ws.OpContinuation, nil)
	c.wantText("")
	c.Close()
	s.wantClosed(websocket.CauseEOF, 1)
}

// limits.md B7: one bounded read for who sends without end, then the loop's
// others. Both have sent when the loop comes to them, in that order.
func TestFirehoseDoesNotStarve(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64 // frames of the firehose
	before := make(chan int64, 1)
	socket := make(chan int, 2)
	bulky := func(c *websocket.Conn) error { // more than one read fits the socket
		if unix.SetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) != nil { // not root
			_ = unix.SetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<20)
		}
		socket <- int(c.ID())
		return nil
	}
	s := start(t, map[string]websocket.Route{
		"/flood": {Open: bulky, Message: func(*websocket.Conn, ws.OpCode, []byte) error { taken.Add(1); return nil }},
		"/stand": {Open: bulky, Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			before <- taken.Load()
			return c.Send(op, p)
		}},
	}, func(c *Config) { c.Loops = 1 })
	flood, bystander := s.dial("/flood"), s.dial("/stand")
	frame := masked(ws.OpBinary, nil, true)
	frames := 2 << 20 / len(frame)

	release := s.blockLoop()
	go func() { _, _ = flood.Write(many(frames, frame)) }()
	full, other := receive(t, socket), receive(t, socket)
	holds, _ := unix.GetsockoptInt(full, unix.SOL_SOCKET, unix.SO_RCVBUF)
	waitUnread(t, full, min(holds/4, 1<<20))
	bystander.text("me too")
	waitUnread(t, other, 1)
	close(release)
	bystander.wantText("me too")
	if got, most := receive(t, before), int64(readBuffer/len(frame)+1); got > most {
		t.Errorf("%d of %d frames went first, want at most one read, %d", got, frames, most)
	}
	// None is lost on the way: what is left over gets its turn without an event.
	s.until("all frames taken", func(Stats) bool { return taken.Load() == int64(frames) })
}

// waitUnread waits until a socket of the server holds at least n bytes.
func waitUnread(t *testing.T, fd, n int) {
	t.Helper()
	eventually(t, "bytes in a socket", func() bool {
		got, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		return err == nil && got >= n
	})
}

// blockLoop has the first loop do nothing until the channel is closed.
func (s *running) blockLoop() chan struct{} {
	s.t.Helper()
	return s.block(s.loops[0])
}

func (s *running) block(l *loop) chan struct{} {
	s.t.Helper()
	blocked, release := make(chan struct{}), make(chan struct{})
	err := l.mail.post(l, letter{kind: letterTask, task: func() {
		close(blocked)
		<-release
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	<-blocked
	return release
}
