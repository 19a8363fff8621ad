package poller

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"echogate/poller/websocket"
)

// paged has a page and a WebSocket.
var paged = websocket.Route{
	Message: echoing.Message,
	HTTP: func(w *websocket.Response, _ *websocket.Request) error {
		w.Type, w.Body = "text/plain", []byte("page\n")
		return nil
	},
}

// limits.md A1: no byte extends the time for a request.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.HandshakeTimeout = 300 * time.Millisecond })
	silent := s.connect()
	half := s.connect()
	half.write([]byte("GET / HTTP/1.1\r\nHost: te"))
	dripped := s.connect()
	begun := time.Now()
	for rest := []byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("y", 6000)); ; rest = rest[1:] {
		if _, err := dripped.Write(rest[:1]); err != nil {
			break
		}
		_ = dripped.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if _, err := dripped.r.ReadByte(); err == io.EOF {
			break
		}
		if len(rest) == 1 {
			t.Fatalf("still there after %s", time.Since(begun))
		}
	}
	silent.wantEOF()
	half.wantEOF()
	s.wantClosed(websocket.CauseHandshakeTimeout, 3)
}

// limits.md A1: between two plain requests the connection has its own time,
// and a later request's begins with its first byte.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	get := "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
	for _, x := range []struct {
		name            string
		handshake, idle time.Duration
		then            string
		cause           websocket.Cause
	}{
		{"silent", time.Hour, 200 * time.Millisecond, "", websocket.CauseHTTP},
		{"half a request", 200 * time.Millisecond, time.Hour, get[:20], websocket.CauseHandshakeTimeout},
		{"half a request, with the first", 200 * time.Millisecond, time.Hour, "", websocket.CauseHandshakeTimeout},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := start(t, map[string]websocket.Route{"/": paged}, func(c *Config) {
				c.HandshakeTimeout, c.HTTPIdle = x.handshake, x.idle
			})
			c := s.connect()
			for range 3 { // kept alive meanwhile
				c.write([]byte(get))
				c.wantPage()
			}
			if x.idle == time.Hour && x.then == "" {
				c.write([]byte(get + get[:20]))
				c.wantPage()
			}
			c.write([]byte(x.then))
			c.wantEOF()
			s.wantClosed(x.cause, 1)
		})
	}
}

// limits.md A1: a later request that begins after a long silence has the whole
// time all the same.
func TestLaterRequestHasItsTime(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	s := start(t, map[string]websocket.Route{"/": paged}, func(c *Config) {
		c.Loops, c.HandshakeTimeout, c.HTTPIdle = 1, timeout, time.Hour
	})
	get := []byte("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	c := s.connect()
	c.write(get)
	c.wantPage()
	s.connect().wantEOF() // the time for a request has passed
	c.write(get[:20])
	s.until("half a request", func(got Stats) bool { return got.Busy == 1 })
	seen := s.tick()
	eventually(t, "some ticks", func() bool { return s.tick() > seen+5 })
	c.write(get[20:])
	c.wantPage()
}

// tick is the first loop's clock.
func (s *running) tick() (tick uint32) {
	s.onLoops(func(l *loop) {
		if l.tag == 1 {
			tick = l.tick
		}
	})
	return tick
}

// wantPage reads the answer to a request for the page of paged.
func (c *client) wantPage() {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || string(body) != "page\n" {
		c.t.Fatalf("got %d %q, %v, want the page", r.StatusCode, body, err)
	}
}

// with is a good upgrade request with one more header line.
func with(header string) string {
	return strings.Replace(request("/"), "\r\n\r\n", "\r\n"+header+"\r\n\r\n", 1)
}

// replaced is one in which by stands for old.
func replaced(old, by string) string { return strings.Replace(request("/"), old, by, 1) }

// refused is what is answered with a status: limits.md A2 to A5 and A8.
var refused = []struct {
	name, head string
	status     int
	label      websocket.Reject
	header     string // that the answer must have
}{
	{"A2 endless line", "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 9000), 431, websocket.RejectTooLarge, ""},
	{"A2 endless head", "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 2000), 431, websocket.RejectTooLarge, ""},
	{"A2 lines", with(strings.TrimSuffix(strings.Repeat("A: b\r\n", 101), "\r\n")), 431, websocket.RejectTooLarge, ""},
	{"A2 target", replaced("GET / ", "GET /"+strings.Repeat("x", 5000)+" "), 414, websocket.RejectTooLarge, ""},
	{"A3 bare LF", with("X: a\nY: b"), 400, websocket.RejectBadRequest, ""},
	{"A3 bare CR", with("X: a\rb"), 400, websocket.RejectBadRequest, ""},
	{"A3 fold", with("X: a\r\n b"), 400, websocket.RejectBadRequest, ""},
	{"A3 space before colon", with("X : a"), 400, websocket.RejectBadRequest, ""},
	{"A3 NUL", with("X: a\x00"), 400, websocket.RejectBadRequest, ""},
	{"A3 two hosts", with("Host: other"), 400, websocket.RejectBadRequest, ""},
	{"A3 two keys", with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, websocket.RejectBadRequest, ""},
	{"A3 no host", replaced("Host: test\r\n", ""), 400, websocket.RejectBadRequest, ""},
	{"A3 length", with("Content-Length: -1"), 400, websocket.RejectBadRequest, ""},
	{"A4 body", with("Content-Length: 5"), 400, websocket.RejectBody, ""},
	{"A4 chunks", with("Transfer-Encoding: chunked"), 400, websocket.RejectBody, ""},
	{"A5 method", replaced("GET", "POST"), 405, websocket.RejectMethod, "Allow: GET, HEAD"},
	{"A5 no version", replaced("Sec-WebSocket-Version: 13\r\n", ""), 426, websocket.RejectVersion, "Sec-WebSocket-Version: 13"},
	{"A5 version", replaced("13", "8"), 426, websocket.RejectVersion, "Upgrade: websocket"},
	{"A5 no key", replaced("Sec-WebSocket-Key", "X-Key"), 400, websocket.RejectKey, ""},
	{"A5 path", request("/none"), 404, websocket.RejectPath, ""},
	{"A5 plain", "GET / HTTP/1.1\r\nHost: test\r\n\r\n", 426, websocket.RejectUpgrade, "Upgrade: websocket"},
	{"A6 origin", replaced("GET / ", "GET /ours "), 403, websocket.RejectOrigin, ""},
	{"A7 PROXY 1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + request("/"), 400, websocket.RejectProxy, ""},
	{"A7 PROXY 2", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" + request("/"), 400, websocket.RejectProxy, ""},
	{"A8 TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, websocket.RejectNotHTTP, ""},
	{"A8 HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, websocket.RejectNotHTTP, ""},
	{"A8 noise", "\x00\xff\x00\xff", 400, websocket.RejectNotHTTP, ""},
}

// A request that is refused is answered in full and then ended in order,
// although its sender is in the midst of sending: closing at once would make
// the kernel reset the connection, and the answer could be lost. Nothing behind
// a refused head is looked at.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	ours := echoing
	ours.Origins = []string{"https://echogate.example"}
	s := start(t, map[string]websocket.Route{"/": echoing, "/ours": ours}, nil)
	smuggled := []byte(request("/") + "GET /none HTTP/1.1\r\nHost: test\r\n\r\n")
	behind := append(smuggled, bytes.Repeat([]byte("z"), 16<<10)...)
	for _, x := range refused {
		t.Run(x.name, func(t *testing.T) {
			s := s.in(t)
			before := s.Stats()
			c := s.connect()
			head := x.head
			if x.label == websocket.RejectOrigin {
				head = strings.Replace(head, "\r\n\r\n", "\r\nOrigin: https://elsewhere.example\r\n\r\n", 1)
			}
			c.write(append([]byte(head), behind...))
			r, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 {
				t.Errorf("got body %q, %v, want one that says why", body, err)
			}
			if r.StatusCode != x.status || !r.Close {
				t.Errorf("got %s with Connection: close %t, want status %d with it", r.Status, r.Close, x.status)
			}
			if name, value, ok := strings.Cut(x.header, ": "); ok && r.Header.Get(name) != value {
				t.Errorf("got %v, want %s", r.Header, x.header)
			}
			c.wantEOF()
			for range 3 { // still in mid-send: the server is patient
				c.write(behind[:1<<10])
			}
			c.Close()
			s.wantClosed(websocket.CauseHTTP, before.Closed[websocket.CauseHTTP]+1)
			got := s.Stats()
			if got.Rejected[x.label] != before.Rejected[x.label]+1 || got.Upgrades != before.Upgrades {
				t.Errorf("got rejected %v and %d upgrades, want one more of %s than %v", got.Rejected, got.Upgrades, x.label, before.Rejected)
			}
		})
	}
}

// limits.md A2: a head without end is cut before 64 KiB of it are read, and the
// answer is there to be read.
func TestEndlessHead(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	c := s.connect()
	sent := make(chan int, 1)
	go func() {
		n, _ := c.Write(append([]byte("GET / HTTP/1.1\r\nX: "), bytes.Repeat([]byte("x"), 16<<20)...))
		sent <- n
	}()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil || r.StatusCode != 431 {
		t.Fatalf("got %v, %v, want a 431", r, err)
	}
	_, _ = io.Copy(io.Discard, c.r)
	if n := receive(t, sent); n >= 16<<20 {
		t.Errorf("all %d bytes were taken", n)
	}
	s.wantClosed(websocket.CauseHTTP, 1)
}
