package poller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// client is one connection to a server under test.
type client struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

// connect opens a TCP connection to the server's first address.
func (s *running) connect() *client {
	s.t.Helper()
	return connectTo(s.t, s.Addrs()[0].String(), 0)
}

// connectTo opens a TCP connection with a receive buffer of that many bytes; 0:
// the kernel's choice.
func connectTo(t testing.TB, addr string, receive int) *client {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	if receive > 0 {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receive)
			})
		}
	}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client {
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return &client{conn.(*net.TCPConn), t, bufio.NewReader(conn)}
}

// dial opens a WebSocket connection with the client of gobwas/ws.
func (s *running) dial(path string) *client {
	s.t.Helper()
	return s.dialAt(s.Addrs()[0].String(), path)
}

func (s *running) dialAt(host, path string) *client {
	s.t.Helper()
	conn, r, _, err := ws.Dialer{Timeout: patience}.Dial(context.Background(), "ws://"+host+path)
	if err != nil {
		s.t.Fatal(err)
	}
	c := newClient(s.t, conn)
	if r != nil { // frames came with the 101
		c.r = r
	}
	return c
}

// request is a good upgrade request for a path.
func request(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// upgrade makes a WebSocket of a connection that was only opened.
func (c *client) upgrade(path string) *client {
	c.t.Helper()
	c.write([]byte(request(path)))
	return c.upgraded()
}

// upgraded reads the 101.
func (c *client) upgraded() *client {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	for end := line; err == nil && end != "\r\n"; {
		end, err = c.r.ReadString('\n')
	}
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 101 ") {
		c.t.Fatalf("got %q, %v, want a 101", line, err)
	}
	return c
}

// masked is a client's frame.
func masked(op ws.OpCode, p []byte, fin bool) []byte {
	f := ws.NewFrame(op, fin, slices.Clone(p))
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(f))
	if err != nil {
		panic(err)
	}
	return b
}

// closeBody is the payload of a close frame.
func closeBody(code ws.StatusCode, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) send(op ws.OpCode, p []byte) {
	c.t.Helper()
	c.write(masked(op, p, true))
}

func (c *client) text(p string) {
	c.t.Helper()
	c.send(ws.OpText, []byte(p))
}

// readFrame reads one frame of a server.
func readFrame(r io.Reader) (ws.OpCode, []byte, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return 0, nil, err
	}
	if h.Masked || h.Rsv != 0 || h.Length > 16<<20 {
		return 0, nil, fmt.Errorf("a server's frame is not masked, has no reserved bits and ends: got %+v", h)
	}
	p := make([]byte, h.Length)
	_, err = io.ReadFull(r, p)
	return h.OpCode, p, err
}

// read returns the next frame.
func (c *client) read() (ws.OpCode, []byte, error) { return readFrame(c.r) }

// want reads the next frame and compares it.
func (c *client) want(op ws.OpCode, p []byte) {
	c.t.Helper()
	gotOp, got, err := c.read()
	if err != nil {
		c.t.Fatalf("got %v, want a frame with opcode %d and %d bytes", err, op, len(p))
	}
	if gotOp != op || !bytes.Equal(got, p) {
		c.t.Fatalf("got opcode %d and %d bytes %.60q, want %d and %d bytes %.60q", gotOp, len(got), got, op, len(p), p)
	}
}

func (c *client) wantText(p string) {
	c.t.Helper()
	c.want(ws.OpText, []byte(p))
}

// echo sends a text and waits for it.
func (c *client) echo(p string) {
	c.t.Helper()
	c.text(p)
	c.wantText(p)
}

// wantClose reads the next frame, which must be a close frame with that code.
func (c *client) wantClose(code ws.StatusCode) {
	c.t.Helper()
	op, p, err := c.read()
	if err != nil || op != ws.OpClose || len(p) < 2 {
		c.t.Fatalf("got opcode %d, %.60q, %v, want a close frame with code %d", op, p, err, code)
	}
	if got := ws.StatusCode(binary.BigEndian.Uint16(p)); got != code {
		c.t.Fatalf("got close code %d %q, want %d", got, p[2:], code)
	}
}

// finish answers a close frame and waits for the server's FIN.
func (c *client) finish(code ws.StatusCode) {
	c.t.Helper()
	c.send(ws.OpClose, closeBody(code, ""))
	c.wantEOF()
}

// wantEOF waits for TCP's orderly end.
func (c *client) wantEOF() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err != io.EOF {
		c.t.Fatalf("got byte %#x, %v, want EOF", b, err)
	}
}

// wantReset reads what still comes, which must end with a TCP RST.
func (c *client) wantReset() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.r); !errors.Is(err, unix.ECONNRESET) {
		c.t.Fatalf("got %v, want a reset", err)
	}
}

// reset ends the connection with a TCP RST.
func (c *client) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}
