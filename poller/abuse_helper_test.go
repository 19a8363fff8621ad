package poller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// echoRoute sends every message back.
var echoRoute = websocket.Route{
	Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) },
}

var echoTable = map[string]websocket.Route{"/echo": echoRoute}

// rig is a running server for tests of abuse. When the test ends nothing of any
// connection may be left in it.
type rig struct {
	*Server
	t     testing.TB
	log   *logLines
	stop  context.CancelFunc
	ended chan error
}

// launch runs a server with two loops on a free port, unless change wants it
// otherwise.
func launch(t testing.TB, table map[string]websocket.Route, change func(*Config)) *rig {
	t.Helper()
	routes, err := websocket.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	log := new(logLines)
	config := Default(routes)
	config.Listen, config.Loops, config.Drain = []string{"127.0.0.1:0"}, 2, 0
	config.Log = slog.New(slog.NewTextHandler(log, nil))
	if change != nil {
		change(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &rig{Server: s, t: t, log: log, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.Run(ctx) }()
	t.Cleanup(r.end)
	return r
}

// end stops the server and looks at its books: everybody who came has ended, and
// nothing that a connection had is held.
func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run: %v", err)
	}
	r.ended <- nil // a test may have waited before
	got := r.Stats()
	held := got.Connections + got.HalfOpen + got.Paused + got.Busy + got.Timers + got.Entries + got.Buffered
	closed := uint64(0)
	for _, n := range got.Closed {
		closed += n
	}
	if held != 0 || closed != got.Accepted || r.posted.Load() != 0 || r.refused.Load() != 0 || len(r.addresses.of) != 0 {
		r.t.Errorf("the books do not balance: %+v, posted %d, refused %d, addresses %d",
			got, r.posted.Load(), r.refused.Load(), len(r.addresses.of))
	}
}

// until waits until the counters are as cond wants them.
func (r *rig) until(what string, cond func(Stats) bool) {
	r.t.Helper()
	var got Stats
	defer func() {
		if r.t.Failed() {
			r.t.Logf("%+v", got)
		}
	}()
	eventually(r.t, what, func() bool {
		got = r.Stats()
		return cond(got)
	})
}

// onLoops runs f on each loop's own goroutine, one after the other: what was
// under way there is over then.
func (r *rig) onLoops(f func(*loop)) {
	r.t.Helper()
	done := make(chan struct{})
	for _, l := range r.loops {
		if err := l.mail.post(l, letter{kind: letterTask, task: func() { f(l); done <- struct{}{} }}); err != nil {
			r.t.Fatal(err)
		}
		<-done
	}
}

// caller is one connection to a rig.
type caller struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

// call opens a TCP connection, from an address of this machine unless it is
// empty.
func (r *rig) call(from string) *caller {
	r.t.Helper()
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", r.Addrs()[0].String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return &caller{conn.(*net.TCPConn), r.t, bufio.NewReader(conn)}
}

// connect opens a TCP connection that sends nothing.
func (r *rig) connect() *caller { r.t.Helper(); return r.call("") }

// join opens a WebSocket connection.
func (r *rig) join(path string) *caller { r.t.Helper(); return r.call("").upgrade(path) }

// upgradeRequest is a good upgrade request for a path.
func upgradeRequest(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// ask sends an upgrade request and returns the answer's status line.
func (c *caller) ask(path string) string {
	c.t.Helper()
	c.write([]byte(upgradeRequest(path)))
	return c.answer()
}

// answer reads a head and returns its first line.
func (c *caller) answer() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	for end := line; err == nil && end != "\r\n"; {
		end, err = c.r.ReadString('\n')
	}
	if err != nil {
		c.t.Fatalf("answer: got %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

// upgrade makes a WebSocket of the connection.
func (c *caller) upgrade(path string) *caller {
	c.t.Helper()
	if line := c.ask(path); !strings.HasPrefix(line, "HTTP/1.1 101 ") {
		c.t.Fatalf("upgrade of %s: got %q", path, line)
	}
	return c
}

// clientFrame is a whole frame as a client sends it.
func clientFrame(op ws.OpCode, p []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewFrame(op, true, slices.Clone(p))))
}

func (c *caller) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *caller) text(p string) { c.t.Helper(); c.write(clientFrame(ws.OpText, []byte(p))) }

// frame reads the next frame.
func (c *caller) frame() (ws.OpCode, []byte) {
	c.t.Helper()
	h, err := ws.ReadHeader(c.r)
	if err != nil || h.Length > 1<<20 {
		c.t.Fatalf("got %+v, %v, want a frame", h, err)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, p); err != nil {
		c.t.Fatal(err)
	}
	return h.OpCode, p
}

// wantFrame reads the next frame and compares it.
func (c *caller) wantFrame(op ws.OpCode, p []byte) {
	c.t.Helper()
	if gotOp, got := c.frame(); gotOp != op || !bytes.Equal(got, p) {
		c.t.Fatalf("got opcode %d, %.60q, want %d and %.60q", gotOp, got, op, p)
	}
}

func (c *caller) wantText(p string) { c.t.Helper(); c.wantFrame(ws.OpText, []byte(p)) }

// echo sends a text and waits for it.
func (c *caller) echo(p string) { c.t.Helper(); c.text(p); c.wantText(p) }

// wantClose reads the next frame, which must be a close frame with that code.
func (c *caller) wantClose(code ws.StatusCode) {
	c.t.Helper()
	op, p := c.frame()
	if op != ws.OpClose || len(p) < 2 {
		c.t.Fatalf("got opcode %d, %.60q, want a close frame with code %d", op, p, code)
	}
	if got := ws.StatusCode(binary.BigEndian.Uint16(p)); got != code {
		c.t.Fatalf("got close code %d, want %d", got, code)
	}
}

// wantReset reads what still comes, which must end with a TCP RST.
func (c *caller) wantReset() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.r); !errors.Is(err, unix.ECONNRESET) {
		c.t.Fatalf("got %v, want a reset", err)
	}
}

// reset ends the connection with a TCP RST.
func (c *caller) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// logLines keeps what a server logs.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// count is how many lines contain text.
func (l *logLines) count(text string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// wantEOF waits for TCP's orderly end.
func (c *caller) wantEOF() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err != io.EOF {
		c.t.Fatalf("got byte %#x, %v, want EOF", b, err)
	}
}
