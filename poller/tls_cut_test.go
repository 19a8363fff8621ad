package poller

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// This file is TLS on a loop that stands still: what the client sends arrives in
// the pieces that the test wants.

// stillTLS is a client in memory whose server is a loop that stands still.
type stillTLS struct {
	stillConn
	*session
	feed func(p []byte) // how what it sends arrives
}

// connectTLS gives the loop a connection of TLS, whose handshake the test has to
// make.
func connectTLS(t testing.TB, l *loop, config *tls.Config) *stillTLS {
	t.Helper()
	return shakesHands(t, connect(t, l), config)
}

// shakesHands makes a client of TLS of a connection.
func shakesHands(t testing.TB, conn stillConn, config *tls.Config) *stillTLS {
	t.Helper()
	c := &stillTLS{stillConn: conn, session: new(session)}
	c.feed = c.arrives
	c.session.conn = tls.Client(&c.session.pipe, config)
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		c.err = c.session.conn.Handshake()
		c.done = true
	})
	return c
}

// arrives sends to the loop, and has it do all that it has to.
func (c *stillTLS) arrives(p []byte) {
	c.t.Helper()
	if len(p) == 0 {
		return
	}
	c.sends(p)
	c.settle()
}

// settle has the loop go on until it waits for the client.
func (c *stillTLS) settle() {
	c.t.Helper()
	for {
		b := c.l.busyOf(c.slot)
		if c.is(c.l) && b.tls != nil && b.tls.running {
			eventually(c.t, "the end of a step", func() bool {
				c.l.mail.mu.Lock()
				defer c.l.mail.mu.Unlock()
				return len(c.l.mail.letters) > 0
			})
		} else if len(c.l.queue) == 0 {
			return
		}
		if err := c.l.woken(); err != nil {
			c.t.Fatal(err)
		}
		c.l.takeTurns()
	}
}

// drip has every byte arrive alone.
func (c *stillTLS) drip(p []byte) {
	c.t.Helper()
	for i := range p {
		c.arrives(p[i : i+1])
	}
}

// at has what is sent at once arrive in two pieces.
func (c *stillTLS) at(i int) func([]byte) {
	return func(p []byte) {
		c.t.Helper()
		k := min(i, len(p))
		c.arrives(p[:k])
		c.arrives(p[k:])
	}
}

// flush has what the client has written arrive, and takes what came back.
func (c *stillTLS) flush() {
	c.t.Helper()
	out := c.out
	c.out = nil
	c.feed(out)
	c.in = append(c.in, c.receives()...)
}

// shake makes the handshake. first is what is sent behind it, in the flight that
// completes it where the client has the last word.
func (c *stillTLS) shake(first string) {
	c.t.Helper()
	for c.next(); !c.done; c.next() {
		c.flush()
		if len(c.in) == 0 {
			c.t.Fatal("the server is silent in the handshake")
		}
	}
	if c.err != nil {
		c.t.Fatal(c.err)
	}
	c.complete()
	c.say(first)
	c.flush()
}

// say encrypts something, and sends it with the next flush.
func (c *stillTLS) say(p string) {
	c.t.Helper()
	if _, err := io.WriteString(c.session.conn, p); err != nil {
		c.t.Fatal(err)
	}
}

// hears is what the server has said.
func (c *stillTLS) hears() (string, error) {
	c.t.Helper()
	b := make([]byte, 1<<20)
	n, err := c.decrypt(b)
	return string(b[:n]), err
}

// wants compares the end of what the server has said.
func (c *stillTLS) wants(want string) {
	c.t.Helper()
	got, err := c.hears()
	if err != nil || len(got) < len(want) || got[len(got)-len(want):] != want {
		c.t.Fatalf("got %.100q, %v, want it to end with %.100q", got, err, want)
	}
}

// converse is a whole life: the handshake, with a request and a message behind
// it in the same segment, a message, and a close handshake.
func (c *stillTLS) converse() {
	c.t.Helper()
	c.shake(hello + string(masked(ws.OpText, []byte("first"), true)))
	c.wants("\r\n\r\n\x81\x05first")
	c.say(string(masked(ws.OpBinary, []byte("second"), true)))
	c.flush()
	c.wants("\x82\x06second")
	c.say(string(masked(ws.OpClose, closeBody(1000, ""), true)))
	c.flush()
	if got, err := c.hears(); got != "\x88\x02\x03\xe8" || err != io.EOF {
		c.t.Fatalf("got %q, %v, want a close frame and the end of TLS", got, err)
	}
	if c.is(c.l) {
		c.t.Fatal("the connection is still there")
	}
}

// TestTLSCutAnywhere: a life is the same in whatever pieces it arrives.
func TestTLSCutAnywhere(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, v := range versions {
		for _, resumed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, resumed %t", tls.VersionName(v), resumed), func(t *testing.T) {
				l := still(t, limited(func(c *Config) { c.TLS = a.server() }))
				config := a.client()
				config.MinVersion, config.MaxVersion = v, v
				config.CurvePreferences = []tls.CurveID{tls.X25519} // short keys: fewer places to cut at
				if resumed {
					config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				}
				longest := 0
				c := connectTLS(t, l, config)
				c.feed = func(p []byte) { longest = max(longest, len(p)); c.arrives(p) }
				c.converse()
				c = connectTLS(t, l, config)
				c.feed = c.drip
				c.converse()
				if got := c.session.conn.ConnectionState().DidResume; got != resumed {
					t.Errorf("resumed: got %t, want %t", got, resumed)
				}
				step := 1
				if raceBuild {
					step = 13
				}
				for i := 1; i < longest; i += step {
					c := connectTLS(t, l, config)
					c.feed = c.at(i)
					c.converse()
				}
				if got := l.snapshot(); got.Busy != 0 || got.Buffered != 0 {
					t.Errorf("left behind: %+v", got)
				}
			})
		}
	}
}

// What belongs to a frame may be in many records, and in pieces of them.
func TestTLSLongMessage(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	l := still(t, limited(func(c *Config) { c.TLS = a.server() }))
	c := connectTLS(t, l, a.client())
	c.shake(hello)
	c.wants("\r\n\r\n")
	for _, n := range []int{1 << 10, 16 << 10, 40 << 10, 100 << 10, 300 << 10} {
		for _, piece := range []int{1 << 10, 16 << 10, 100_000} {
			c.feed = func(p []byte) {
				for len(p) > 0 {
					k := min(piece, len(p))
					c.arrives(p[:k])
					c.in = append(c.in, c.receives()...)
					p = p[k:]
				}
			}
			frame, reply := maskedEcho(n)
			c.say(string(frame))
			c.flush()
			c.settle()
			for c.is(l) && c.l.busyOf(c.slot).out != nil { // the socket was full
				c.in = append(c.in, c.receives()...)
				if err := l.event(c.fd, unix.EPOLLOUT); err != nil {
					t.Fatal(err)
				}
			}
			c.in = append(c.in, c.receives()...)
			c.wants(string(reply))
		}
	}
}

// What is sent behind a backlog is encrypted behind it and waits behind it, even
// when the socket has room again and the loop does not know yet.
func TestTLSBacklogKeepsOrder(t *testing.T) {
	t.Parallel()
	l := still(t, limited(func(c *Config) { c.TLS, c.Limits.HighWater = newAuthority(t).server(), -1 }))
	config := l.srv.conf().TLS.Clone()
	config.InsecureSkipVerify = true
	c := connectTLS(t, l, config)
	c.shake(hello)
	c.wants("\r\n\r\n")
	long := bytes.Repeat([]byte("long "), 200_000)
	send := func(p []byte) {
		l.call(c.fd, c.slot, func(conn *websocket.Conn) error { return conn.Send(ws.OpBinary, p) })
	}
	send(long)
	if !l.behind(c.slot) {
		t.Fatal("the socket took it all")
	}
	c.in = append(c.in, c.receives()...)
	send([]byte("short"))
	for l.behind(c.slot) {
		if err := l.event(c.fd, unix.EPOLLOUT); err != nil {
			t.Fatal(err)
		}
		c.in = append(c.in, c.receives()...)
	}
	want := string(ws.MustCompileFrame(ws.NewBinaryFrame(long))) + "\x82\x05short"
	if got, err := c.hears(); got != want || err != nil {
		t.Fatalf("got %d bytes, %v, want %d in order", len(got), err, len(want))
	}
}

// What ends the stream may come in the same read as a message: that is answered,
// and then the end.
func TestTLSEndBehindMessage(t *testing.T) {
	t.Parallel()
	l := still(t, limited(func(c *Config) { c.TLS = newAuthority(t).server() }))
	config := l.srv.conf().TLS.Clone()
	config.InsecureSkipVerify = true
	c := connectTLS(t, l, config)
	c.shake(hello)
	c.wants("\r\n\r\n")
	c.say(string(masked(ws.OpText, []byte("last"), true)))
	if err := c.session.conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.flush()
	if got, err := c.hears(); got != "\x81\x04last" || err != io.EOF {
		t.Errorf("got %q, %v, want the echo and the end of TLS", got, err)
	}
	if c.is(l) || l.stats.Closed[websocket.CauseEOF] != 1 {
		t.Errorf("it is still there, or counted otherwise: %v", l.stats.Closed)
	}
}

// A message that has begun has its time, though no other deadline is near.
func TestTLSMessageIsTimed(t *testing.T) {
	t.Parallel()
	l := still(t, limited(func(c *Config) {
		c.TLS, c.Limits.MessageTimeout = newAuthority(t).server(), time.Second
	}))
	config := l.srv.conf().TLS.Clone()
	config.InsecureSkipVerify = true
	for _, part := range [][]byte{masked(ws.OpText, []byte("fragment"), false), append(raw(0x81, 1<<20), "begun"...)} {
		c := connectTLS(t, l, config)
		c.shake(hello)
		c.wants("\r\n\r\n")
		c.say(string(part))
		c.flush()
		for range 4 { // not so long at once that the loop was late
			later(t, l, time.Second/2)
		}
		c.in = append(c.in, c.receives()...)
		if got, err := c.hears(); err != io.EOF || !strings.HasPrefix(got, "\x88") || !strings.Contains(got, "\x03\xf0") {
			t.Errorf("got %q, %v, want close code 1008 and the end of TLS", got, err)
		}
	}
}
