package poller

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file is a loop that stands still: its goroutine is the test's, and its
// clock is set by hand.

// still makes the loop of a server that does not run. edit may be nil.
func still(t testing.TB, edit func(*Config)) *loop {
	t.Helper()
	config := quiet(t)
	if edit != nil {
		edit(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.loops[0].cutAll()
		s.close()
	})
	return s.loops[0]
}

// stillConn is one end of a connection whose other end is the loop's.
type stillConn struct {
	*slot
	l        *loop
	t        testing.TB
	fd, peer int // the loop's end, and the test's
}

// connect gives the loop a connection that has sent nothing.
func connect(t testing.TB, l *loop) stillConn {
	t.Helper()
	return connectOver(t, l, unix.SOCK_STREAM)
}

// connectOver is connect with a kind of socket: in one of packets every write is
// told from the next.
func connectOver(t testing.TB, l *loop, kind int) stillConn {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(pair[1]) })
	l.count.Add(1)
	l.halfOpen.Add(1)
	c := stillConn{l.table.make(pair[0]), l, t, pair[0], pair[1]}
	l.adopt(c.fd, admitted, &listener{})
	return c
}

// open gives the loop a connection that has got its 101.
func open(t testing.TB, l *loop) stillConn {
	t.Helper()
	c := connect(t, l)
	c.sends([]byte(hello))
	c.receives()
	if !c.ws.Open() {
		t.Fatal("the connection is not open")
	}
	return c
}

// sends writes to the loop's end, and has the loop read.
func (c stillConn) sends(b []byte) {
	c.t.Helper()
	if n, err := unix.Write(c.peer, b); n != len(b) || err != nil {
		c.t.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
	}
	if err := c.l.event(c.fd, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
		c.t.Fatal(err)
	}
}

// receives is what the loop has sent.
func (c stillConn) receives() []byte {
	var all []byte
	for b := make([]byte, 64<<10); ; {
		n, err := unix.Read(c.peer, b)
		if n <= 0 || err != nil {
			return slices.Clip(all)
		}
		all = append(all, b[:n]...)
	}
}

// later sets the clock forward and has the timer go off.
func later(t *testing.T, l *loop, d time.Duration) {
	t.Helper()
	l.srv.start = l.srv.start.Add(-d)
	if err := l.tock(); err != nil {
		t.Fatal(err)
	}
}

// limited is an edit of the configuration: no deadline but those that set sets.
func limited(set func(*Config)) func(*Config) {
	return func(c *Config) {
		l := &c.Limits
		l.MessageTimeout, l.StallTimeout, l.PingInterval = -1, -1, -1
		l.IdleTimeout, l.MaxLifetime, l.CloseTimeout = -1, -1, -1
		c.HandshakeTimeout, c.HTTPIdle = 0, 0
		if set != nil {
			set(c)
		}
	}
}
