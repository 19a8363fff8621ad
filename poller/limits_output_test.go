package poller

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// narrow is an echo whose sockets hold little, so that what a test sees is the
// server's own doing and not the kernel's buffers.
var narrow = websocket.Route{
	Open: func(c *websocket.Conn) error {
		_ = unix.SetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<10)
		return unix.SetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10)
	},
	Message: echoing.Message,
}

// dialNarrow connects a client whose kernel takes little too.
func (s *running) dialNarrow(path string) *client {
	s.t.Helper()
	c := connectTo(s.t, s.Addrs()[0].String(), 4<<10)
	_ = c.SetWriteBuffer(64 << 10)
	return c.upgrade(path)
}

// stuff sends until the server takes no more, for some time, and returns how
// much of b was taken.
func (c *client) stuff(b []byte) (n int) {
	c.t.Helper()
	for {
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		k, err := c.Write(b[n:])
		n += k
		if err == nil {
			return n
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatal(err)
		}
		if k == 0 {
			_ = c.SetWriteDeadline(time.Now().Add(patience))
			return n
		}
	}
}

// limits.md C1: who sends and does not read is not read either. TCP pushes back,
// what the server holds is bounded, others are not touched; and one who begins
// to read gets every byte, in order.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": narrow}, nil)
	const count, size = 2500, 4096
	var all []byte
	for i := range count {
		all = append(all, masked(ws.OpBinary, pattern(size, uint64(i)), true)...)
	}
	c := s.dialNarrow("/")
	taken := 0
	eventually(t, "no more is taken", func() bool { // a server that is late has not paused
		taken += c.stuff(all[taken:])
		return taken == len(all) || s.Stats().Paused == 1
	})
	if taken == len(all) {
		t.Fatalf("the server took all %d bytes of who reads nothing", taken)
	}
	got := s.Stats()
	if got.Paused != 1 || got.Pauses == 0 {
		t.Errorf("got %d paused, %d pauses, want 1 paused", got.Paused, got.Pauses)
	}
	// High-water mark, one read, and what growing in powers of two leaves over.
	if most := 64<<10 + readBuffer + size; got.Buffered > 2*most {
		t.Errorf("got %d bytes in buffers, want at most %d", got.Buffered, 2*most)
	}
	s.dial("/").echo("bystander")

	go func() { _, _ = c.Write(all[taken:]) }()
	for i := range count {
		c.want(ws.OpBinary, pattern(size, uint64(i)))
	}
	s.until("no longer paused", func(got Stats) bool { return got.Paused == 0 && got.Buffered == 0 })
	c.echo("still there")
}

// limits.md C2: who reads nothing for the stall time is cut; a close frame could
// not pass. One who reads slowly is not.
func TestStall(t *testing.T) {
	t.Parallel()
	const stall = 1500 * time.Millisecond
	s := start(t, map[string]websocket.Route{"/": narrow}, func(c *Config) { c.Limits.StallTimeout = stall })
	flood := many(1<<20/4100, masked(ws.OpBinary, make([]byte, 4096), true))
	living, dead := s.dialNarrow("/"), s.dialNarrow("/")
	living.stuff(flood)
	dead.stuff(flood)
	next := time.Now()
	s.until("the dead one cut", func(got Stats) bool {
		if time.Now().After(next) { // the other takes 25 KB/s
			next = time.Now().Add(20 * time.Millisecond)
			_ = living.SetReadDeadline(next)
			if _, err := living.Read(make([]byte, 512)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("who reads slowly: %v", err)
			}
		}
		return got.Closed[websocket.CauseSlowReader] > 0
	})
	dead.wantReset()
	if got := s.Stats(); got.Closed[websocket.CauseSlowReader] != 1 || got.Connections != 1 {
		t.Errorf("got %d connections and closed %v, want one left, one slow_reader", got.Connections, got.Closed)
	}
}

// limits.md C2: there is no stall that nobody has watched: the first look at a
// backlog has nothing to compare with, however short the stall time is.
func TestStallIsWatched(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": narrow}, func(c *Config) { c.Limits.StallTimeout = time.Hour })
	c := s.dialNarrow("/")
	c.stuff(many(1<<20/4100, masked(ws.OpBinary, make([]byte, 4096), true)))
	var looks []bool
	s.onLoops(func(l *loop) {
		for _, b := range l.busys {
			if b == nil || len(b.out) == 0 {
				continue
			}
			b.unacked, b.progress = 0, l.tick-ticks(2*time.Hour) // as if it had just begun, and long ago
			slot := l.table.at(b.fd)
			looks = append(looks, l.stalled(b.fd, slot, b), l.stalled(b.fd, slot, b))
			b.progress = l.tick
		}
	})
	if len(looks) != 2 || looks[0] || !looks[1] {
		t.Errorf("got stalled %v at two looks, want it at the second alone", looks)
	}
}

// limits.md C3: who sends to a slow reader is told at once, and nobody else
// waits.
func TestPushToSlowReader(t *testing.T) {
	t.Parallel()
	handles := make(chan websocket.Handle, 2)
	push := narrow
	push.Open = func(c *websocket.Conn) error {
		handles <- c.Handle()
		return narrow.Open(c)
	}
	s := start(t, map[string]websocket.Route{"/": push}, nil)
	s.dialNarrow("/")
	slow := receive(t, handles)
	reading := s.dialNarrow("/")
	quick := receive(t, handles)
	p := pattern(16<<10, 1)
	told := 0
	eventually(t, "ErrBacklog", func() bool {
		if err := slow.Send(ws.OpBinary, p); err != nil && !errors.Is(err, websocket.ErrBacklog) {
			t.Fatal(err)
		} else if err != nil {
			told++
		}
		return told > 0
	})
	for range 50 {
		if err := quick.Send(ws.OpBinary, p); err != nil {
			t.Fatal(err)
		}
		reading.want(ws.OpBinary, p)
	}
	got := s.Stats()
	if got.Paused != 1 || got.Buffered > 1<<20 {
		t.Errorf("got %d paused and %d bytes in buffers, want one that holds little", got.Paused, got.Buffered)
	}
}

// A send that was posted before the backlog was full and comes after is counted.
func TestSendsRefused(t *testing.T) {
	t.Parallel()
	handles := make(chan websocket.Handle, 1)
	push := narrow
	push.Open = func(c *websocket.Conn) error {
		handles <- c.Handle()
		return narrow.Open(c)
	}
	s := start(t, map[string]websocket.Route{"/": push}, func(c *Config) { c.Loops = 1 })
	c := s.dialNarrow("/")
	h := receive(t, handles)
	release := s.blockLoop()
	for range 100 {
		if err := h.Send(ws.OpBinary, make([]byte, 16<<10)); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	s.until("refused sends", func(got Stats) bool { return got.SendsRefused > 0 })
	if got := s.Stats(); got.SendsRefused >= 100 || got.Buffered > 1<<20 {
		t.Errorf("got %d of 100 refused and %d bytes in buffers", got.SendsRefused, got.Buffered)
	}
	if got := s.posted.Load(); got != 0 {
		t.Errorf("got %d bytes posted, want none left", got)
	}
	c.Close()
	s.wantClosed(websocket.CauseReset, 1)
}

// What is posted to a loop counts to MaxBuffered, and is refused above it.
func TestPostedIsBounded(t *testing.T) {
	t.Parallel()
	handles := make(chan websocket.Handle, 1)
	s := start(t, map[string]websocket.Route{"/": {
		Open:    func(c *websocket.Conn) error { handles <- c.Handle(); return nil },
		Message: echoing.Message,
	}}, func(c *Config) { c.Loops, c.MaxBuffered = 1, 1<<20 })
	c := s.dial("/")
	h := receive(t, handles)
	release := s.blockLoop()
	sent := 0
	for sent < 1000 && h.Send(ws.OpBinary, make([]byte, 100<<10)) == nil {
		sent++
	}
	if err := h.Send(ws.OpBinary, make([]byte, 100<<10)); !errors.Is(err, websocket.ErrBacklog) || sent != 10 {
		t.Errorf("sent %d messages of 100 KiB, then %v, want 10, then ErrBacklog", sent, err)
	}
	close(release)
	for range sent {
		c.want(ws.OpBinary, make([]byte, 100<<10))
	}
}

// limits.md C4: above the bound on all buffers those who hold some are ended
// with 1013, as many as it takes, and others live on.
func TestMaxBuffered(t *testing.T) {
	t.Parallel()
	const bound, clients, pieces = 4 << 20, 40, 4
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxBuffered, c.Loops = bound, 1 })
	bystander := s.dial("/")
	all := make([]*client, clients)
	for i := range all {
		all[i] = s.dial("/")
		all[i].write(raw(0x82, 1<<20))
	}
	for range pieces { // a little more of everybody's message each time
		for _, c := range all {
			_, _ = c.Write(make([]byte, 32<<10)) // it may have been ended
		}
		bystander.echo("still there")
		if got := s.Stats(); got.Buffered > bound+heldStep {
			t.Fatalf("got %d bytes in buffers, want at most %d", got.Buffered, bound+heldStep)
		}
	}
	s.until("some ended", func(got Stats) bool { return got.Closed[websocket.CauseMemory] >= clients/5 })
}

// limits.md C4: it is told 1013 when it has no backlog.
func TestMaxBufferedCloseCode(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxBuffered, c.Loops = 256<<10, 1 })
	c := s.dial("/")
	go func() { _, _ = c.Write(append(raw(0x82, 1<<20), make([]byte, 1<<20-1)...)) }()
	c.wantClose(1013)
	c.wantEOF()
	c.Close()
	s.wantClosed(websocket.CauseMemory, 1)
}

// limits.md C5: a burst leaves nothing behind, whether its connection goes or
// stays.
func TestPoolShrinks(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 1 })
	kept := func() (n int) {
		s.onLoops(func(l *loop) { n = l.pool.regions.kept })
		return n
	}
	big := bytes.Repeat([]byte("x"), 1<<20)
	for _, stays := range []bool{true, false} {
		c := s.dial("/")
		c.send(ws.OpBinary, big)
		c.want(ws.OpBinary, big)
		if !stays {
			c.Close()
		}
		eventually(t, "large buffers given to the collector", func() bool { return kept() == 0 })
	}
	if got := s.Stats(); got.Connections != 1 || got.Buffered != 0 {
		t.Errorf("got %d connections and %d bytes in buffers, want the one that stayed and none", got.Connections, got.Buffered)
	}
}
