package peers_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// peers is the field. nbio v1.6.7 loses empty messages: its parser keeps no buffer
// for them, and calls the handler for what has one.
var peers = []struct {
	name   string
	empty  bool // echoes them
	secure bool // speaks TLS
}{
	{"coder", true, false},
	{"epoll", true, false},
	{"gnet", true, false},
	{"gobwas", true, false},
	{"gorilla", true, false},
	{"gws", true, false},
	{"nbio", false, false},
	{"nethttps", true, true},
}

// patience is how long a peer may take for anything on a busy machine.
const patience = time.Minute

func TestPeers(t *testing.T) {
	bin := build(t)
	for _, x := range peers {
		t.Run(x.name, func(t *testing.T) {
			var flags []string
			scheme := "ws://"
			if x.secure {
				flags, scheme = certify(t), "wss://"
			}
			addr := scheme + start(t, filepath.Join(bin, x.name), flags...)
			if x.empty {
				t.Run("empty", func(t *testing.T) { testMessages(t, dial(t, addr), 0) })
			}
			t.Run("messages", func(t *testing.T) { testMessages(t, dial(t, addr), 1, 125, 126, 65535, 65536, 1<<20, 5<<20) })
			t.Run("pipeline", func(t *testing.T) { testPipeline(t, dial(t, addr)) })
			t.Run("fragments", func(t *testing.T) { testFragments(t, dial(t, addr)) })
			t.Run("pieces", func(t *testing.T) { testPieces(t, dial(t, addr)) })
			t.Run("ping", func(t *testing.T) { testPing(t, dial(t, addr)) })
			t.Run("close", func(t *testing.T) { testClose(t, dial(t, addr)) })
		})
	}
}

// build compiles all peers into one directory.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + "/"}
	for _, x := range peers {
		args = append(args, "./"+x.name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return dir
}

// start runs a peer on a free port and returns its address. The peer is ended
// with SIGTERM, which it must obey.
func start(t *testing.T, path string, flags ...string) string {
	t.Helper()
	c := exec.Command(path, append(flags, "--listen", "127.0.0.1:0")...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		kill.Reset(patience)
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
		kill.Stop()
		if s := c.ProcessState.Sys().(syscall.WaitStatus); s.Signal() == syscall.SIGKILL {
			t.Errorf("%s did not end at SIGTERM", path)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	kill.Stop()
	addr, ok := strings.CutPrefix(line, "listening ")
	if err != nil || !ok {
		t.Fatalf("got first line %q and %v, want its address", line, err)
	}
	return strings.TrimSuffix(addr, "\n")
}

// dial connects gobwas/ws's client and offers compression, which no peer may
// take: it would be measured with the echo.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	d := ws.Dialer{
		Timeout: patience, Extensions: []httphead.Option{httphead.NewOption("permessage-deflate", nil)},
		TLSConfig: &tls.Config{InsecureSkipVerify: true},
	}
	c, rest, shake, err := d.Dial(context.Background(), addr+"/echo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if rest != nil {
		t.Fatalf("got %d bytes unasked", rest.Buffered())
	}
	if len(shake.Extensions) > 0 {
		t.Fatalf("got extensions %v", shake.Extensions)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// testMessages wants every message back as one frame: load generators compare
// the bytes.
func testMessages(t *testing.T, c net.Conn, sizes ...int) {
	for _, size := range sizes {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			p := payload(size)
			send(t, c, ws.NewFrame(op, true, p))
			want(t, c, ws.NewFrame(op, true, p))
		}
	}
}

// testPipeline wants the echoes of messages that were sent at once in order.
func testPipeline(t *testing.T, c net.Conn) {
	var out []byte
	for i := range 64 {
		out = append(out, ws.MustCompileFrame(mask(ws.NewBinaryFrame(payload(1+i*37))))...)
	}
	write(t, c, out)
	for i := range 64 {
		want(t, c, ws.NewBinaryFrame(payload(1+i*37)))
	}
}

// testFragments wants a message back that was sent in fragments, with a ping
// among them. The floor answers in fragments.
func testFragments(t *testing.T, c net.Conn) {
	for _, f := range []ws.Frame{
		ws.NewFrame(ws.OpText, false, []byte("one ")),
		ws.NewFrame(ws.OpContinuation, false, nil),
		ws.NewPingFrame([]byte("between")),
		ws.NewFrame(ws.OpContinuation, true, []byte("message")),
	} {
		send(t, c, f)
	}
	messages, err := wsutil.ReadServerMessage(c, nil)
	for err == nil && len(messages) < 2 {
		messages, err = wsutil.ReadServerMessage(c, messages)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		switch {
		case m.OpCode == ws.OpPong && string(m.Payload) == "between":
		case m.OpCode == ws.OpText && string(m.Payload) == "one message":
		default:
			t.Errorf("got %v %q", m.OpCode, m.Payload)
		}
	}
}

// testPieces wants frames back that came in pieces, cut in their headers too.
func testPieces(t *testing.T, c net.Conn) {
	for _, size := range []int{5, 200, 70000} {
		p := payload(size)
		wire := ws.MustCompileFrame(mask(ws.NewBinaryFrame(p)))
		for len(wire) > 0 {
			n := min(len(wire), 1+(len(wire)-1)/3)
			write(t, c, wire[:n])
			wire = wire[n:]
		}
		want(t, c, ws.NewBinaryFrame(p))
	}
}

func testPing(t *testing.T, c net.Conn) {
	for _, p := range []string{"", "ping", strings.Repeat("p", 125)} {
		send(t, c, ws.NewPingFrame([]byte(p)))
		want(t, c, ws.NewPongFrame([]byte(p)))
	}
}

// testClose wants the close frame answered and the stream ended: a benchmark
// that opens and closes leaves nothing behind.
func testClose(t *testing.T, c net.Conn) {
	send(t, c, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	f := receive(t, c)
	if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != ws.StatusNormalClosure {
		t.Errorf("got %v %d, want a close frame with 1000", f.Header.OpCode, code)
	}
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %d bytes and %v, want the end of the stream", n, err)
	}
}

// payload is valid UTF-8 of that many bytes which shows a shift by one.
func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = ' ' + byte(i%89)
	}
	return p
}

func mask(f ws.Frame) ws.Frame {
	return ws.MaskFrameWith(f, [4]byte{0x37, 0xfa, 0x21, 0x3d})
}

func send(t *testing.T, c net.Conn, f ws.Frame) {
	t.Helper()
	write(t, c, ws.MustCompileFrame(mask(f)))
}

func write(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
}

// want reads exactly that frame.
func want(t *testing.T, c net.Conn, f ws.Frame) {
	t.Helper()
	got := receive(t, c)
	if got.Header != f.Header || !bytes.Equal(got.Payload, f.Payload) {
		t.Fatalf("got %+v, want %+v with the same payload", got.Header, f.Header)
	}
}

func receive(t *testing.T, c net.Conn) ws.Frame {
	t.Helper()
	h, err := ws.ReadHeader(c)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c, p); err != nil {
		t.Fatal(err)
	}
	return ws.Frame{Header: h, Payload: p}
}
