package poller

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// This file is what the walk of a frame costs over TLS: system calls and
// allocations.

// writes are what the loop has sent to a socket of packets, one by one.
func (c *stillTLS) writes() (all [][]byte) {
	c.t.Helper()
	for b := make([]byte, 1<<20); ; {
		n, err := unix.Read(c.peer, b)
		if n <= 0 || err != nil {
			return all
		}
		all = append(all, slices.Clone(b[:n]))
	}
}

// Whatever a read event leads to leaves with one write: the last flight of the
// handshake with the 101 and an echo behind it, the echoes of many frames, the
// answer to a close frame with the end of TLS. Above what is encrypted at once
// there are as few as that takes.
func TestTLSOneWrite(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, v := range versions {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			l := still(t, limited(func(c *Config) {
				c.TLS = a.server()
				c.TLS.DynamicRecordSizingDisabled = true
			}))
			config := a.client()
			config.MinVersion, config.MaxVersion = v, v
			c := shakesHands(t, connectOver(t, l, unix.SOCK_SEQPACKET), config)
			flush := func(want int) {
				t.Helper()
				c.feed(c.out)
				c.out = nil
				sent := c.writes()
				if len(sent) != want {
					t.Errorf("%d writes, want %d", len(sent), want)
				}
				c.in = append(c.in, slices.Concat(sent...)...)
			}
			for c.next(); !c.done; c.next() {
				flush(1)
			}
			if c.err != nil {
				t.Fatal(c.err)
			}
			c.complete()
			first := masked(ws.OpText, []byte("first"), true)
			c.say(hello + string(first))
			flush(1)
			c.wants("\r\n\r\n\x81\x05first")
			for range 7 { // a record each
				c.say(string(first))
			}
			flush(1)
			c.wants(strings.Repeat("\x81\x05first", 7))
			frame, reply := maskedEcho(40 << 10)
			c.say(string(frame))
			flush(1)
			c.wants(string(reply))
			c.feed = func(p []byte) { // less than one read takes
				for piece := range slices.Chunk(p, 50_000) {
					c.arrives(piece)
				}
			}
			frame, reply = maskedEcho(100 << 10)
			c.say(string(frame))
			flush(2)
			c.wants(string(reply))
		})
	}
}

// A client whose only message leaves a backlog, and who then does nothing, is cut
// after the stall time: the walk hands over what it cannot finish.
func TestTLSWalkLeavesABacklog(t *testing.T) {
	a := newAuthority(t)
	l := still(t, limited(func(c *Config) { c.TLS, c.Limits.StallTimeout = a.server(), 3*time.Second }))
	c := connectTLS(t, l, a.client())
	c.shake(hello)
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<10); err != nil {
		t.Fatal(err)
	}
	frame, _ := maskedEcho(40 << 10)
	c.say(string(frame))
	c.arrives(c.out)
	if !l.behind(c.slot) {
		t.Fatal("there is no backlog")
	}
	for range 6 {
		later(t, l, time.Second-tickTime)
	}
	if c.is(l) || l.stats.Closed[websocket.CauseSlowReader] != 1 {
		t.Errorf("still there: %t; closed by cause: %v", c.is(l), l.stats.Closed)
	}
}

// An echo takes no memory but the little that crypto/tls takes for every record
// that it reads.
func TestTLSEchoAllocations(t *testing.T) {
	a := newAuthority(t)
	for _, size := range []int{0, 125, 1 << 10, 15 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			l := still(t, limited(func(c *Config) { c.TLS = a.server() }))
			config := a.client()
			config.DynamicRecordSizingDisabled = true // a message is a record
			c := connectTLS(t, l, config)
			c.shake(hello)
			const rounds, warm = 100, 20
			frame, _ := maskedEcho(size)
			var records [][]byte
			for range rounds + warm + 1 { // AllocsPerRun warms up once itself
				c.say(string(frame))
				records = append(records, c.out)
				c.out = nil
			}
			got := make([]byte, 64<<10)
			echo := func() {
				if _, err := unix.Write(c.peer, records[0]); err != nil {
					t.Fatal(err)
				}
				records = records[1:]
				if err := l.event(c.fd, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
					t.Fatal(err)
				}
				if n, err := unix.Read(c.peer, got); n < size || err != nil {
					t.Fatalf("got %d bytes, %v", n, err)
				}
			}
			for range warm {
				echo()
			}
			if made := testing.AllocsPerRun(rounds, echo); made > 1 && !raceBuild {
				t.Errorf("%v allocations for an echo, want at most 1", made)
			}
		})
	}
}
