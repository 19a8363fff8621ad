package poller

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// This file is the other end of a connection for pins and benchmarks: sockets
// without a Go object behind them, driven by system calls that allocate nothing.

// hello is the upgrade that a peer sends.
const hello = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// peerTimeout is how long a peer waits for what must come.
const peerTimeout = 30 * time.Second

func echo(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

func page(w *websocket.Response, _ *websocket.Request) error {
	w.Body = []byte("page")
	return nil
}

// quiet is a configuration for /echo and /page on a free port of loopback.
func quiet(tb testing.TB) Config {
	tb.Helper()
	routes, err := websocket.Compile(map[string]websocket.Route{"/echo": {Message: echo}, "/page": {HTTP: page}})
	if err != nil {
		tb.Fatal(err)
	}
	config := Default(routes)
	config.Listen, config.Loops, config.Drain = []string{"127.0.0.1:0"}, 1, 0
	config.Log = slog.New(slog.DiscardHandler)
	return config
}

// serving starts a server that is cut when the test ends.
func serving(tb testing.TB, config Config) (*Server, netip.AddrPort) {
	tb.Helper()
	s, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		s.Cut()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return s, s.Addrs()[0].(*net.TCPAddr).AddrPort()
}

// peer is a blocking socket.
type peer struct {
	tb testing.TB
	fd int
}

// newPeers is room for n of them, which are closed when the test ends.
func newPeers(tb testing.TB, n int) *[]peer {
	all := make([]peer, 0, n)
	tb.Cleanup(func() {
		for _, p := range all {
			_ = unix.Close(p.fd)
		}
	})
	return &all
}

// joinPeers adds upgraded peers until there are n.
func joinPeers(tb testing.TB, addr netip.AddrPort, all *[]peer, n int) {
	tb.Helper()
	for len(*all) < n {
		p := dial(tb, addr)
		*all = append(*all, p)
		p.upgrade()
	}
}

// dial connects; the socket is the caller's to close.
func dial(tb testing.TB, addr netip.AddrPort) peer {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	wait := unix.NsecToTimeval(peerTimeout.Nanoseconds())
	for _, err := range []error{
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return peer{tb, fd}
}

// upgrade asks for the 101 and reads it.
func (p peer) upgrade() {
	p.tb.Helper()
	p.write([]byte(hello))
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		p.read(b)
		head = append(head, b...)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		p.tb.Fatalf("answer to the upgrade: %q", head)
	}
}

func (p peer) write(b []byte) {
	if n, err := unix.Write(p.fd, b); n != len(b) || err != nil {
		p.tb.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
	}
}

// read fills b.
func (p peer) read(b []byte) {
	for len(b) > 0 {
		n, err := unix.Read(p.fd, b)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			p.tb.Fatalf("read %d bytes, %d to come: %v", n, len(b), err)
		}
		b = b[n:]
	}
}

// maskedEcho is a client's binary frame with a payload of size bytes, and what a
// server that echoes answers.
func maskedEcho(size int) (frame, reply []byte) {
	f := ws.MaskFrame(ws.NewBinaryFrame(bytes.Repeat([]byte{'x'}, size)))
	return ws.MustCompileFrame(f), ws.MustCompileFrame(ws.NewBinaryFrame(bytes.Repeat([]byte{'x'}, size)))
}
