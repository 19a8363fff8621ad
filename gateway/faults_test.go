//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// wire is what a connection with faults is sent: everything behind the 101, until
// the server ends it or has been silent for the time given. play writes to it.
func wire(t *testing.T, host, target string, silence time.Duration, play func(conn net.Conn)) (got string, end error) {
	t.Helper()
	conn := upgraded(t, host, target)
	play(conn)
	var all []byte
	for b := make([]byte, 64<<10); end == nil; {
		var n int
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		n, end = conn.Read(b)
		all = append(all, b[:n]...)
	}
	return string(all), end
}

// upgraded is a connection whose 101 has been read.
func upgraded(t *testing.T, host, target string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target)
	in := bufio.NewReaderSize(conn, 1024)
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != 101 {
		t.Fatalf("%s: got %v, %v", target, r, err)
	}
	r.Body.Close()
	return bufferedConn{conn, io.MultiReader(io.LimitReader(in, int64(in.Buffered())), conn)}
}

// TestFaultsOnTheWire runs every fault over TCP, twice with one seed.
func TestFaultsOnTheWire(t *testing.T) {
	host := startGateway(t)
	abc := func(conn net.Conn) {
		for _, p := range []string{"aaaa", "bbbb", "cccc"} {
			send(t, conn, ws.OpText, p)
		}
	}
	goodbye := func(conn net.Conn) { abc(conn); send(t, conn, ws.OpClose, closeBody(1000, "")) }
	const a, b, c = "\x81\x04aaaa", "\x81\x04bbbb", "\x81\x04cccc"
	closed := "\x88\x02\x03\xe8"
	for _, x := range []struct {
		query string
		play  func(net.Conn)
		want  string
		end   error
	}{
		{"delay=50ms&seed=1", goodbye, a + b + c + closed, io.EOF},
		{"jitter=50ms&seed=1", goodbye, a + b + c + closed, io.EOF},
		{"rate=200&seed=1", abc, a + b + c, timeout},
		{"drop=1&seed=1", goodbye, closed, io.EOF},
		{"dup=1&seed=1", goodbye, a + a + b + b + c + c + closed, io.EOF},
		{"reorder=1&seed=1", goodbye, b + a + c + closed, io.EOF},
		{"fragment=3&seed=1", goodbye, "\x01\x03aaa\x80\x01a\x01\x03bbb\x80\x01b\x01\x03ccc\x80\x01c" + closed, io.EOF},
		{"close=4000@2&reason=x&seed=1", abc, a + "\x88\x03\x0f\xa0x", timeout},
		{"close=1001@50ms&drop=1&seed=1", abc, "\x88\x02\x03\xe9", timeout},
		{"rst@3&seed=1", abc, a + b, syscall.ECONNRESET},
		{"rst=@50ms&drop=1&seed=1", abc, "", syscall.ECONNRESET},
		{"fin@3&seed=1", abc, a + b, io.EOF},
		{"halfclose@3&seed=1", abc, a + b, io.EOF},
		{"stall@2&seed=1", abc, a, timeout},
		{"mute-pong&seed=1", func(conn net.Conn) { send(t, conn, ws.OpPing, "p"); goodbye(conn) }, a + b + c + closed, io.EOF},
		{"mute-close&seed=1", goodbye, a + b + c, timeout},
		{"unasked=hi&seed=1", goodbye, "\x81\x02hi" + a + b + c + closed, io.EOF},
	} {
		t.Run(x.query, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				got, end := wire(t, host, "/echo?"+x.query, 700*time.Millisecond, x.play)
				if got != x.want || !isEnd(end, x.end) {
					t.Errorf("got %q, %v\nwant %q, %v", got, end, x.want, x.end)
				}
			}
		})
	}
}

// timeout stands for a connection that is still there, and silent.
var timeout = errTimeout{}

type errTimeout struct{}

func (errTimeout) Error() string { return "silence" }

func isEnd(got, want error) bool {
	n, ok := got.(net.Error)
	if want == error(timeout) {
		return ok && n.Timeout()
	}
	return got == want || ok && !n.Timeout() && strings.Contains(got.Error(), want.Error())
}

// TestSeedRepeats: two runs with one seed are the same byte for byte, and another
// seed gives something else.
func TestSeedRepeats(t *testing.T) {
	host := startGateway(t)
	play := func(conn net.Conn) {
		for i := range 50 {
			send(t, conn, ws.OpText, fmt.Sprintf("message %d of fifty", i))
		}
		send(t, conn, ws.OpClose, closeBody(1000, ""))
	}
	const faults = "/echo?jitter=20ms&drop=0.1&dup=0.3&reorder=0.2&corrupt=0.3&truncate=0.3&fragment=5&seed="
	first, _ := wire(t, host, faults+"11", 10*time.Second, play)
	again, _ := wire(t, host, faults+"11", 10*time.Second, play)
	other, _ := wire(t, host, faults+"12", 10*time.Second, play)
	if first != again {
		t.Errorf("two runs differ:\n%q\n%q", first, again)
	}
	if first == other {
		t.Error("another seed gives the same")
	}
}

// The handshake waits on the wheel, longer than a request may take.
func TestHandshakeDelay(t *testing.T) {
	host := startGateway(t, "--handshake-timeout", "200ms")
	start := time.Now()
	upgraded(t, host, "/echo?handshake-delay=600ms")
	if d := time.Since(start); d < 500*time.Millisecond {
		t.Errorf("the 101 came after %v", d)
	}
}

func TestFaultsOff(t *testing.T) {
	host := startGateway(t, "--faults=off")
	for target, want := range map[string]int{
		"/echo?drop=0.1": 403, "/echo?seed=1": 403, "/slow?rate=1000": 0, "/close?code=1000&reason=x": 0, "/abort?rst": 0,
		"/echo?nonsense": 0, "/?delay=1s": 403,
	} {
		if status, _ := dialStatus(t, "ws://"+host+target, nil); status != want {
			t.Errorf("%s: got status %d, want %d", target, status, want)
		}
	}
}

// Ten thousand connections, each with a reply that waits: no goroutine and no
// runtime timer each. The gateway is another process, so that what it has is its
// own alone.
func TestDelaysCostNoGoroutine(t *testing.T) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	n := min(10_000, int(lim.Cur)-1000)
	p := startWithAdmin(t, "--max-half-open", "20000")
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = upgraded(t, p.host, "/echo?delay=3s")
	}
	before := goroutines(t, p.admin)
	for _, conn := range conns {
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		send(t, conn, ws.OpText, "x")
	}
	waiting := goroutines(t, p.admin)
	for _, conn := range conns {
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		wantFrame(t, conn, ws.OpText, "x")
	}
	if before > 100 || waiting > before+20 {
		t.Errorf("%d goroutines with %d connections, %d when they had sent", before, n, waiting)
	}
}

// goroutines is how many a gateway has, by its metrics.
func goroutines(t *testing.T, admin string) (n int) {
	t.Helper()
	_, body := ask(t, admin, "GET", "/metrics")
	_, rest, ok := strings.Cut(body, "\ngo_goroutines ")
	if _, err := fmt.Sscan(rest, &n); !ok || err != nil {
		t.Fatalf("no go_goroutines in %q: %v", body, err)
	}
	return n
}
