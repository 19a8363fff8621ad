//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"echogate/gateway/fault"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// startGateway runs the gateway in this process on a free port, with the flags
// given, and returns its host and port. It ends with the test.
func startGateway(t *testing.T, flags ...string) string {
	t.Helper()
	none := func(string) (string, bool) { return "", false }
	args := append([]string{"--listen", "127.0.0.1:0", "--drain", "0", "--drain-timeout", "1s"}, flags...)
	_, config, err := parse(args, none, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(config, handed{}, slog.New(slog.DiscardHandler), new(fault.Counts))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("gateway ended with %v", err)
		}
	})
	return s.Addrs()[0].String()
}

// dial connects gobwas/ws's own client.
func dial(t *testing.T, url string, protocols ...string) (net.Conn, ws.Handshake) {
	t.Helper()
	d := ws.Dialer{Timeout: 10 * time.Second, Protocols: protocols}
	conn, rest, shake, err := d.Dial(context.Background(), url)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	if rest != nil {
		t.Fatalf("dial %s: the gateway sent %d bytes unasked", url, rest.Buffered())
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn, shake
}

func send(t *testing.T, conn net.Conn, op ws.OpCode, p string) {
	t.Helper()
	if err := wsutil.WriteClientMessage(conn, op, []byte(p)); err != nil {
		t.Fatal(err)
	}
}

func wantFrame(t *testing.T, conn net.Conn, op ws.OpCode, p string) {
	t.Helper()
	h, err := ws.ReadHeader(conn)
	if err != nil {
		t.Fatalf("got %v, want frame %v %q", err, op, p)
	}
	if h.OpCode != op || h.Length != int64(len(p)) {
		t.Fatalf("got frame %v of %d bytes, want %v %q", h.OpCode, h.Length, op, p)
	}
	got := make([]byte, h.Length)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != p {
		t.Fatalf("got frame %v %q, %v, want %q", h.OpCode, got, err, p)
	}
}

func TestEcho(t *testing.T) {
	host := startGateway(t)
	for _, path := range []string{"/echo", "/", "/.ws", "/echo?goodbye=1"} {
		t.Run(path, func(t *testing.T) {
			conn, _ := dial(t, "ws://"+host+path)
			send(t, conn, ws.OpText, "This is a message")
			wantFrame(t, conn, ws.OpText, "This is a message")
			send(t, conn, ws.OpBinary, "Goodbye")
			wantFrame(t, conn, ws.OpBinary, "Goodbye")
			send(t, conn, ws.OpText, "Goodbye")
			wantFrame(t, conn, ws.OpText, "Goodbye")
			wantFrame(t, conn, ws.OpClose, "\x03\xe8")
			send(t, conn, ws.OpClose, "\x03\xe8")
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after the close handshake: got %v, want EOF", err)
			}
		})
	}
}

func TestGoodbyeOff(t *testing.T) {
	conn, _ := dial(t, "ws://"+startGateway(t)+"/echo?goodbye=0")
	for range 2 {
		send(t, conn, ws.OpText, "Goodbye")
		wantFrame(t, conn, ws.OpText, "Goodbye")
	}
}

func TestFirstSubprotocolIsAnswered(t *testing.T) {
	_, shake := dial(t, "ws://"+startGateway(t)+"/echo", "soap", "wamp")
	if shake.Protocol != "soap" {
		t.Errorf("got subprotocol %q, want %q", shake.Protocol, "soap")
	}
}

func TestOriginFlag(t *testing.T) {
	host := startGateway(t, "--origin", "https://good.example")
	for origin, want := range map[string]int{"https://good.example": 0, "https://bad.example": 403} {
		d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(http.Header{"Origin": {origin}})}
		conn, _, _, err := d.Dial(context.Background(), "ws://"+host+"/echo")
		got := 0
		if status, ok := err.(ws.StatusError); ok {
			got = int(status)
		}
		if got != want {
			t.Errorf("origin %s: got %v, want status %d", origin, err, want)
		}
		if conn != nil {
			conn.Close()
		}
	}
}

// ask sends one plain request and returns the response with its body read.
func ask(t *testing.T, host, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	w, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatalf("%s %s: body: %v", method, path, err)
	}
	return w, string(body)
}

func TestPlainRequests(t *testing.T) {
	host := startGateway(t)
	for _, x := range []struct {
		method, path string
		status       int
		header, want string
		body         string
	}{
		{"GET", "/", 200, "Content-Type", "text/html; charset=utf-8", "<title>"},
		{"GET", "/tutorial", 200, "Content-Type", "text/html; charset=utf-8", "Run WebSocket"},
		{"HEAD", "/", 200, "Content-Type", "text/html; charset=utf-8", ""},
		{"GET", "/echo", 426, "Sec-Websocket-Version", "13", "WebSocket"},
		{"GET", "/echo", 426, "Upgrade", "websocket", ""},
		{"GET", "/nowhere", 404, "Connection", "close", "/echo"},
		{"GET", "/echo/", 404, "", "", "/echo"},
		{"GET", "/%65cho", 426, "", "", ""},
		{"GET", "/%2565cho", 404, "", "", ""},
		{"POST", "/", 405, "Allow", "GET, HEAD", ""},
		{"GET", "/status/418", 418, "", "", "status 418"},
		{"GET", "/status/205", 205, "Content-Length", "0", ""},
		{"GET", "/status/99", 400, "", "", "200 to 599"},
		{"GET", "/<script>", 404, "Content-Type", "text/plain; charset=utf-8", ""},
	} {
		w, body := ask(t, host, x.method, x.path)
		if w.StatusCode != x.status {
			t.Errorf("%s %s: got status %d, want %d", x.method, x.path, w.StatusCode, x.status)
		}
		if got := w.Header.Get(x.header); x.header != "" && x.header != "Connection" && got != x.want {
			t.Errorf("%s %s: got %s %q, want %q", x.method, x.path, x.header, got, x.want)
		}
		if !strings.Contains(body, x.body) || strings.Contains(body, "<script>") && w.StatusCode == 404 {
			t.Errorf("%s %s: got body %q, want one with %q", x.method, x.path, body, x.body)
		}
	}
}

// A browser asks again with the entity tag, on the same connection.
func TestPageIsCachedAndConnectionKept(t *testing.T) {
	host := startGateway(t)
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	get := func(more string) *http.Response {
		t.Helper()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", more)
		w, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, w.Body)
		return w
	}
	w := get("")
	tag := w.Header.Get("ETag")
	if w.StatusCode != 200 || tag == "" {
		t.Fatalf("got status %d, ETag %q", w.StatusCode, tag)
	}
	if policy := w.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "connect-src 'self' ws: wss:") || strings.Contains(policy, "unsafe-inline") {
		t.Errorf("got Content-Security-Policy %q", policy)
	}
	if w = get("If-None-Match: " + tag + "\r\n"); w.StatusCode != 304 {
		t.Errorf("got status %d for the same ETag, want 304", w.StatusCode)
	}
}

// TestPython runs a client written by others in another language.
func TestPython(t *testing.T) {
	for _, script := range []string{"client.py", "deflate.py"} {
		t.Run(script, func(t *testing.T) { runPython(t, script) })
	}
}

func runPython(t *testing.T, script string) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import websockets").Run() != nil {
		if os.Getenv("ECHOGATE_TEST_PYTHON") == "required" {
			t.Fatal("python3-websockets is required here")
		}
		t.Skip("no python3-websockets")
	}
	host := startGateway(t, "--max-message", "16MiB")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "testdata/"+script, "ws://"+host).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
