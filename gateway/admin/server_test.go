package admin

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// broken is a listener that has died.
type broken struct{ net.Listener }

var errBroken = errors.New("broken")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

// A listener that dies is never a silence.
func TestFailed(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	for range 2 { // the second has nobody who waits for its reason
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		g.Serve(broken{ln})
	}
	select {
	case err := <-g.Failed():
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v, want %v", err, errBroken)
		}
	case <-time.After(patience):
		t.Fatal("a listener died in silence")
	}
}

// The sockets go to another process, which serves them from then on.
func TestYield(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	fds, err := g.Sockets()
	if err != nil || len(fds) != 1 {
		t.Fatalf("got %v, %v, want one socket", fds, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("got flags %#x, %v: the socket blocks", flags, err)
	}
	f := os.NewFile(uintptr(fds[0]), "listener")
	ln, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	other := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	g.Yield()
	g.Leave()
	if wrong := g.unready(); len(wrong) > 0 {
		t.Errorf("who asked just before is told %q, though the other process is ready", wrong)
	}
	other.Serve(ln)
	other.Leave()
	if w, _ := g.ask(t, "GET", "/readyz"); w.StatusCode != 503 {
		t.Errorf("got status %d, want the other's 503", w.StatusCode)
	}
	if fds, err := g.Sockets(); err != nil || len(fds) != 0 {
		t.Errorf("got %v, %v after Yield, want none", fds, err)
	}
	select {
	case err := <-g.Failed():
		t.Errorf("to yield is no failure: %v", err)
	default:
	}
}

// Close does not wait for a profile that has just begun.
func TestCloseCutsWhatIsUnderWay(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	conn, err := net.Dial("tcp", g.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET /debug/pprof/trace?seconds=250 HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, "the trace has begun", func() bool {
		_, body := g.ask(t, "GET", "/debug/pprof/goroutine?debug=2")
		return strings.Contains(body, "pprof.Trace")
	})
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		g.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close waits for the trace")
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still there")
	}
}

// Who takes too long for his request's head is cut.
func TestSlowHead(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	if g.http.ReadHeaderTimeout != headTime {
		t.Fatalf("a head has %s, want %s", g.http.ReadHeaderTimeout, headTime)
	}
	quick := New(Config{Gateway: g.gateway, Log: g.log})
	quick.http.ReadHeaderTimeout = 20 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	quick.Serve(ln)
	defer quick.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: loc"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a client that is silent in its head is waited for")
	}
}

// A head that does not end is refused before it is read: 431, or the reset that
// overtakes it.
func TestHugeHead(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	conn, err := net.Dial("tcp", g.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Much: "+strings.Repeat("x", 4*headBytes))
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) || len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") {
		t.Errorf("got %.80q, %v, want 431 or a reset", answer, err)
	}
}

func TestProfileTime(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	for _, seconds := range []string{"0", "-1", "301", "long"} {
		if w, body := g.ask(t, "GET", "/debug/pprof/profile?seconds="+seconds); w.StatusCode != 400 {
			t.Errorf("seconds=%s: got status %d %.80q, want 400", seconds, w.StatusCode, body)
		}
	}
	if w, _ := g.ask(t, "GET", "/debug/pprof/profile?seconds=1"); w.StatusCode != 200 {
		t.Errorf("got status %d of a profile of a second, want 200", w.StatusCode)
	}
}
