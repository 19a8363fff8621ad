//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// dialStatus dials with more headers; it returns the status of a refusal, 0 of a
// 101, and the headers that came with that.
func dialStatus(t *testing.T, url string, header http.Header) (status int, got http.Header) {
	t.Helper()
	got = http.Header{}
	d := ws.Dialer{
		Timeout: 10 * time.Second, Header: ws.HandshakeHeaderHTTP(header),
		OnHeader: func(key, value []byte) error {
			got.Add(string(key), string(value))
			return nil
		},
	}
	conn, _, _, err := d.Dial(context.Background(), url)
	if conn != nil {
		conn.Close()
	}
	var refused ws.StatusError
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("dial %s: %v", url, err)
	}
	return int(refused), got
}

// closeBody is a close frame's payload.
func closeBody(code ws.StatusCode, reason string) string {
	return string(ws.NewCloseFrameBody(code, reason))
}

// dialEager dials a path that speaks first.
func dialEager(t *testing.T, url string) net.Conn {
	t.Helper()
	d := ws.Dialer{Timeout: 10 * time.Second, ReadBufferSize: 0}
	conn, rest, _, err := d.Dial(context.Background(), url)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if rest == nil {
		return conn
	}
	return bufferedConn{conn, io.MultiReader(io.LimitReader(rest, int64(rest.Buffered())), conn)}
}

// A bufferedConn gives first what came with the 101.
type bufferedConn struct {
	net.Conn
	r io.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// nextFrame reads one frame.
func nextFrame(t *testing.T, conn io.Reader) (ws.OpCode, string) {
	t.Helper()
	h, err := ws.ReadHeader(conn)
	if err != nil {
		t.Fatalf("got %v, want a frame", err)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(conn, p); err != nil {
		t.Fatalf("got %v in a frame of %d bytes", err, h.Length)
	}
	return h.OpCode, string(p)
}

// wantEnd: nothing comes but TCP's end, the one that is wanted.
func wantEnd(t *testing.T, conn io.Reader, want error) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Errorf("got %d bytes, %v, want %v", n, err, want)
	}
}

func TestClosePath(t *testing.T) {
	host := startGateway(t)
	for text, want := range map[string]string{
		"1000":                             closeBody(1000, ""),
		"4001 because of this":             closeBody(4001, "because of this"),
		"1005":                             "",
		"1014 " + strings.Repeat("x", 123): closeBody(1014, strings.Repeat("x", 123)),
	} {
		conn, _ := dial(t, "ws://"+host+"/close")
		send(t, conn, ws.OpText, text)
		wantFrame(t, conn, ws.OpClose, want)
		send(t, conn, ws.OpClose, want)
		wantEnd(t, conn, io.EOF)
	}
	conn, _ := dial(t, "ws://"+host+"/close")
	for _, text := range []string{"", "hello", "1006", "999", "5000", "70000", "1000 " + strings.Repeat("x", 124)} {
		send(t, conn, ws.OpText, text)
		if op, p := nextFrame(t, conn); op != ws.OpText || !strings.HasPrefix(p, "accepted are CODE and") {
			t.Errorf("%q: got %v %q, want what a code is", text, op, p)
		}
	}
	send(t, conn, ws.OpClose, closeBody(4999, "mine")) // its own comes back
	wantFrame(t, conn, ws.OpClose, closeBody(4999, "mine"))

	eager := dialEager(t, "ws://"+host+"/close?code=4001&reason=x+y")
	wantFrame(t, eager, ws.OpClose, closeBody(4001, "x y"))
	eager = dialEager(t, "ws://"+host+"/close?code=1005")
	wantFrame(t, eager, ws.OpClose, "")
	for _, query := range []string{"code=1006", "code=", "code=x", "code=1000&reason=%ff", "code=1000&reason=" + strings.Repeat("x", 124)} {
		if status, _ := dialStatus(t, "ws://"+host+"/close?"+query, nil); status != 400 {
			t.Errorf("%s: got status %d, want 400", query, status)
		}
	}
}

func TestAbortPaths(t *testing.T) {
	host := startGateway(t)
	wantEnd(t, dialEager(t, "ws://"+host+"/abort"), io.EOF)
	wantEnd(t, dialEager(t, "ws://"+host+"/abort?rst=0"), io.EOF)
	wantEnd(t, dialEager(t, "ws://"+host+"/abort?rst"), syscall.ECONNRESET)
	for query, want := range map[string]error{"": io.EOF, "?rst": syscall.ECONNRESET} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "GET /abort_handshake"+query+" HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		wantEnd(t, conn, want)
	}
}

func TestInternalError(t *testing.T) {
	wantFrame(t, dialEager(t, "ws://"+startGateway(t)+"/internal_error"), ws.OpClose, closeBody(1011, ""))
}

func TestHandshakePaths(t *testing.T) {
	host := startGateway(t, "--origin", "https://elsewhere.example")
	for _, x := range []struct {
		path, origin string
		status       int
	}{
		{"/origin_check", "http://example.com", 0},
		{"/origin_check", "http://EXAMPLE.com", 0},
		{"/origin_check", "http://example.com:80", 403},
		{"/origin_check", "https://elsewhere.example", 403},
		{"/origin_check", "", 403},
		{"/origin_check?origin=http://a.example&origin=http://b.example", "http://b.example", 0},
		{"/origin_check?origin=http://a.example", "http://example.com", 403},
	} {
		header := http.Header{}
		if x.origin != "" {
			header.Set("Origin", x.origin)
		}
		if status, _ := dialStatus(t, "ws://"+host+x.path, header); status != x.status {
			t.Errorf("%s from %q: got status %d, want %d", x.path, x.origin, status, x.status)
		}
	}
	for path, want := range map[string][]string{
		"/cookie":                  nil,
		"/cookie?set":              {"foo=bar; Path=/; Max-Age=86400"},
		"/cookie?set_httponly":     {"httpOnlyFoo=bar; Path=/; Max-Age=86400; HttpOnly"},
		"/cookie?set&set_httponly": {"foo=bar; Path=/; Max-Age=86400", "httpOnlyFoo=bar; Path=/; Max-Age=86400; HttpOnly"},
		"/cookie?clear":            {"foo=; Path=/; Max-Age=0", "httpOnlyFoo=; Path=/; Max-Age=0; HttpOnly"},
	} {
		if _, h := dialStatus(t, "ws://"+host+path, nil); !slices.Equal(h["Set-Cookie"], want) {
			t.Errorf("%s: got %q, want %q", path, h["Set-Cookie"], want)
		}
	}
	if _, h := dialStatus(t, "ws://"+host+"/hsts", nil); h.Get("Strict-Transport-Security") != "max-age=3600" {
		t.Errorf("/hsts: got %v", h)
	}
}

func TestSubprotocolPath(t *testing.T) {
	host := startGateway(t)
	offer := http.Header{"Sec-WebSocket-Protocol": {"soap, wamp"}}
	for query, want := range map[string]string{"": "soap", "?mode=first": "soap", "?mode=none": "", "?mode=foreign": "never-offered.echogate"} {
		_, h := dialRaw(t, host, "/subprotocol"+query, offer)
		if got := h.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
	if status, _ := dialRaw(t, host, "/subprotocol?mode=x", offer); status != 400 {
		t.Errorf("got status %d, want 400", status)
	}
}

// dialRaw upgrades without judging the answer.
func dialRaw(t *testing.T, host, target string, header http.Header) (int, http.Header) {
	t.Helper()
	more := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	for k, v := range header {
		more = append(more, k, v[0])
	}
	r, err := http.NewRequest("GET", "http://"+host+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	w, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	return w.StatusCode, w.Header
}

func TestInfo(t *testing.T) {
	host := startGateway(t)
	check := func(text, path, query string) {
		t.Helper()
		var f facts
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if f.Method != "GET" || f.Path != path || f.Query != query || f.Host != host || f.Local != host || f.Hostname == "" ||
			!strings.HasPrefix(f.Remote, "127.0.0.1:") || f.TLS != nil || !slices.Equal(f.Headers["X-Test"], []string{"a", "b"}) {
			t.Errorf("got %+v", f)
		}
	}
	header := http.Header{"X-Test": {"a", "b"}}
	r, _ := http.NewRequest("GET", "http://"+host+"/info?a=1&b=%20", nil)
	r.Header, r.Close = header, true
	w, err := http.DefaultTransport.(*http.Transport).Clone().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(w.Body)
	w.Body.Close()
	if w.Header.Get("Content-Type") != "application/json" || w.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v", w.Header)
	}
	check(string(body), "/info", "a=1&b=%20")

	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header), Timeout: 10 * time.Second}
	conn, rest, _, err := d.Dial(context.Background(), "ws://"+host+"/echo?hello=1&goodbye=0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := io.Reader(conn)
	if rest != nil {
		in = io.MultiReader(rest, conn)
	}
	_, hello := nextFrame(t, in)
	check(hello, "/echo", "hello=1&goodbye=0")
	for range 2 { // the other parameter works, too
		send(t, conn, ws.OpText, "Goodbye")
		wantFrame(t, bufferedConn{conn, in}, ws.OpText, "Goodbye")
	}
}

func TestInfoTellsTLS(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key, "--tls-client-ca", a.cert, "--tls-client-auth", "optional")
	config := trusting("a.example", a)
	for range 2 {
		transport := &http.Transport{TLSClientConfig: config.Clone(), DisableKeepAlives: true}
		w, err := transport.RoundTrip(request(t, "https://"+host+"/info"))
		if err != nil {
			t.Fatal(err)
		}
		var f facts
		err = json.NewDecoder(w.Body).Decode(&f)
		w.Body.Close()
		client := ""
		if len(config.Certificates) > 0 {
			client = "CN=a.example"
		}
		if err != nil || f.TLS == nil || f.TLS.Version != "TLS 1.3" || !strings.HasPrefix(f.TLS.Cipher, "TLS_") || f.TLS.Curve == "" ||
			f.TLS.ServerName != "a.example" || f.TLS.Client != client {
			t.Errorf("got %v, %+v, want client %q", err, f.TLS, client)
		}
		config.Certificates = append(config.Certificates, a.pair) // the second time
	}
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The list has every path once, and says of each what it takes.
func TestRoutesAndFaults(t *testing.T) {
	host := startGateway(t, "--alias", "/flaky=/echo?goodbye=0", "--alias", "/gone=/status/410")
	_, body := ask(t, host, "GET", "/routes")
	var all []listed
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, l := range all {
		if l.About == "" || kinds[l.Path] != "" || l.Parameters == nil {
			t.Errorf("got %+v", l)
		}
		kinds[l.Path] = l.Kind
	}
	for path, want := range map[string]string{"/": "both", "/echo": "websocket", "/info": "http", "/flaky": "websocket", "/gone": "http", "/.ws": "websocket"} {
		if kinds[path] != want {
			t.Errorf("%s: got kind %q, want %q", path, kinds[path], want)
		}
	}
	_, body = ask(t, host, "GET", "/faults")
	var faults []parameter
	if err := json.Unmarshal([]byte(body), &faults); err != nil || len(faults) < 20 || faults[0].Name != "delay" {
		t.Errorf("got %v, %v", faults, err)
	}
}
