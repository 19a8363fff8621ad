package websocket

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestHandshake(t *testing.T) {
	routes := testRoutes(t)
	for _, test := range handshakeCases {
		t.Run(test.id, func(t *testing.T) {
			whole := newPeer(t, routes)
			whole.feed([]byte(test.in))
			test.check(t, whole)
			drip := newPeer(t, routes)
			for i := range test.in {
				drip.feed([]byte{test.in[i]})
			}
			sameEnd(t, "byte by byte", whole, drip)
			step := max(1, len(test.in)/1000) // the longest are cut at every 8th index
			for i := 1; i < len(test.in); i += step {
				cut := newPeer(t, routes)
				cut.feed([]byte(test.in[:i]))
				cut.feed([]byte(test.in[i:]))
				sameEnd(t, fmt.Sprintf("cut at %d", i), whole, cut)
			}
		})
	}
}

func (test *handshakeCase) check(t *testing.T, p *peer) {
	t.Helper()
	if !strings.Contains(string(p.out), test.has) {
		t.Errorf("got %q, want %q in it", p.out, test.has)
	}
	if strings.Contains(string(p.out), "secret") {
		t.Errorf("got %q: an error's text left", p.out)
	}
	if test.status == 101 {
		checkUpgraded(t, p)
		return
	}
	if p.state.Upgraded() {
		t.Error("upgraded")
	}
	last := responses(t, p.out)
	if got := last[len(last)-1].StatusCode; got != test.status {
		t.Errorf("got status %d, want %d", got, test.status)
	}
	var f *Refusal
	if refused := errors.As(p.err, &f); refused != (test.status >= 400) {
		t.Fatalf("got error %v", p.err)
	}
	if f == nil {
		return
	}
	if f.Status != test.status || f.Label != test.label {
		t.Errorf("got %d %s, want %d %s", f.Status, f.Label, test.status, test.label)
	}
	if e := closeFor(p.err); e.Cause != CauseHTTP {
		t.Errorf("got cause %s, want http", e.Cause)
	}
}

// checkUpgraded: H21, one each of what the 101 must have, and no body.
func checkUpgraded(t *testing.T, p *peer) {
	t.Helper()
	if p.err != nil || !p.state.Upgraded() || !p.state.Open() || p.state.Served() {
		t.Fatalf("got %v, %q, want an upgrade", p.err, p.out)
	}
	at := bytes.Index(p.out, []byte("HTTP/1.1 101 Switching Protocols\r\n"))
	if at < 0 {
		t.Fatalf("got %q, want a 101", p.out)
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p.out[at:])), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": sampleAccept,
	} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("got %s %q, want %q once", name, got, want)
		}
	}
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Content-Type", "Sec-WebSocket-Extensions"} {
		if got := r.Header.Values(name); len(got) != 0 {
			t.Errorf("got %s %q, want none", name, got)
		}
	}
}

// responses reads plain responses until out is used up.
func responses(t *testing.T, out []byte) (all []*http.Response) {
	t.Helper()
	b := bufio.NewReader(bytes.NewReader(out))
	for {
		if _, err := b.Peek(1); err == io.EOF && all != nil {
			return all
		}
		r, err := http.ReadResponse(b, nil)
		if err != nil {
			t.Fatalf("in %q: %v", out, err)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" && !slices.Contains([]int{204, 205, 304}, r.StatusCode) {
			t.Errorf("no nosniff in %q", out)
		}
		if r.StatusCode >= 400 && !r.Close {
			t.Errorf("no Connection: close in %q", out)
		}
		if body, err := io.ReadAll(r.Body); err != nil && len(body) > 0 { // none: it answers a HEAD
			t.Fatalf("in %q: %v", out, err)
		}
		all = append(all, r)
	}
}

// sameEnd compares what a connection did with what it does in one piece.
func sameEnd(t *testing.T, how string, want, got *peer) {
	t.Helper()
	if !bytes.Equal(got.out, want.out) {
		t.Fatalf("%s: got %q, want %q", how, got.out, want.out)
	}
	if fmt.Sprint(got.err) != fmt.Sprint(want.err) {
		t.Fatalf("%s: got error %v, want %v", how, got.err, want.err)
	}
	if got.state.phase != want.state.phase || got.state.Upgraded() != want.state.Upgraded() {
		t.Fatalf("%s: got state %+v, want %+v", how, got.state, want.state)
	}
	if got.work != nil && want.work == nil || got.loop.buffers != 0 {
		t.Fatalf("%s: holds %v and %d buffers", how, got.work, got.loop.buffers)
	}
}

// A protocol that was not offered, or not in that case, is never answered.
func TestNoProtocol(t *testing.T) {
	for _, in := range []string{
		wsHead("/chat"), wsHead("/chat", "Sec-WebSocket-Protocol: Chat, x"), wsHead("/chat", "Sec-WebSocket-Protocol:"),
		wsHead("/echo", "Sec-WebSocket-Protocol: chat"), wsHead("/any"),
	} {
		p := newPeer(t, testRoutes(t))
		p.feed([]byte(in))
		checkUpgraded(t, p)
		if bytes.Contains(p.out, []byte("Protocol: ")) {
			t.Errorf("%q: got %q", in, p.out)
		}
	}
}

// A2: a head without end is refused long before it was read, whatever its cuts.
func TestRefusedAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		start, more string
		within      int
	}{
		"head":   {"GET /echo HTTP/1.1\r\n", "X: yyyyyyyyy\r\n", DefaultMaxHead},
		"line":   {"GET /echo HTTP/1.1\r\nX: ", "yyyyyyyy", DefaultMaxHead},
		"lines":  {"GET /echo HTTP/1.1\r\n", "X:\r\n", 101*4 + 20},
		"target": {"GET /", "yyyyyyyy", 4 + maxTarget + 8},
		"method": {"", "Y", maxMethod + 1},
	} {
		p := newPeer(t, testRoutes(t))
		fed := len(test.start)
		for p.feed([]byte(test.start)); p.err == nil && fed < 1<<20; fed += len(test.more) {
			p.feed([]byte(test.more))
		}
		if fed > test.within+len(test.more) {
			t.Errorf("%s: refused after %d bytes, want at most %d", name, fed, test.within)
		}
	}
}

// Nothing of the request is in an answer (limits.md H4).
func TestNothingReflected(t *testing.T) {
	for _, in := range []string{
		wsHead("/<script>alert"), head("GET /<script>alert HTTP/1.1", host), wsHead("/echo", "<script>alert: x"),
		wsHead("/home", "Origin: <script>alert"), wsHead("/strict", "Sec-WebSocket-Protocol: <script>alert"),
		head("GET /echo HTTP/1.1", "Host: <script>alert"), "<script>alert",
	} {
		p := newPeer(t, testRoutes(t))
		p.feed([]byte(in))
		if p.err == nil || bytes.Contains(p.out, []byte("script")) {
			t.Errorf("%q: got %v, %q", in, p.err, p.out)
		}
	}
}

func TestHooks(t *testing.T) {
	var got []string
	note := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	other := Route{
		Open: func(c *Conn) error { note("open %v %s", c.Value(), c.Protocol()); return nil },
		Message: func(c *Conn, _ ws.OpCode, _ []byte) error {
			note("message %q", c.Protocol())
			return nil
		},
		Close: func(_ *Conn, e CloseError) { note("close %s", e.Cause) },
	}
	routes := mustCompile(t, map[string]Route{
		"/{room}": {Protocols: []string{"*"}, Upgrade: func(c *Conn, r *Request) error {
			note("upgrade %s %s", r.Param("room"), c.Protocol())
			c.AddHeader("X-Room", r.Param("room"))
			c.Attach(r.Param("room"))
			if r.Path() == "/full" {
				return fmt.Errorf("sorry: %w", Refuse(429, "full"))
			}
			c.Use(&other)
			return nil
		}},
	})
	p := newPeer(t, routes)
	p.feed([]byte(wsHead("/blue", "Sec-WebSocket-Protocol: p") + frame("x")))
	checkUpgraded(t, p)
	if !bytes.Contains(p.out, []byte("\r\nX-Room: blue\r\n")) || !bytes.HasSuffix(p.out, []byte("\r\n\r\n")) {
		t.Errorf("got %q, want the header that was added", p.out)
	}
	if _, err := p.Release(ErrEOF); err != nil {
		t.Fatal(err)
	}
	p = newPeer(t, routes)
	p.feed([]byte(wsHead("/full", "Sec-WebSocket-Protocol: p")))
	if r := responses(t, p.out)[0]; r.StatusCode != 429 || r.Header.Get("X-Room") != "full" || r.Header.Get("Sec-WebSocket-Protocol") != "" {
		t.Errorf("got %q", p.out)
	}
	want := "upgrade blue p|open blue p|message \"\"|close eof|upgrade full p"
	if got := strings.Join(got, "|"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every status but 101 refuses an upgrade; those that have no body get none.
func TestRefusalsBelow400(t *testing.T) {
	for status, body := range map[int]string{
		200: "200 OK: no\n", 204: "", 205: "", 302: "302 Found: no\n", 304: "", 399: "399 Redirection: no\n",
	} {
		p := newPeer(t, mustCompile(t, map[string]Route{"/": {Message: echoBack, Upgrade: func(c *Conn, _ *Request) error {
			c.AddHeader("Location", "/elsewhere")
			return Refuse(status, "no")
		}}}))
		p.feed([]byte(wsHead("/")))
		head, got, _ := strings.Cut(string(p.out), "\r\n\r\n")
		if r := responses(t, p.out)[0]; r.StatusCode != status || !r.Close || r.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%d: got %q", status, p.out)
		}
		if got != body || strings.Contains(head, "Content-") != (body != "") {
			t.Errorf("%d: got the head %q and the body %q", status, head, got)
		}
	}
}

// What one request added or chose is not in the answer to the next.
func TestNothingLeftOver(t *testing.T) {
	p := newPeer(t, mustCompile(t, map[string]Route{"/": {Message: echoBack, Upgrade: func(c *Conn, _ *Request) error {
		c.AddHeader("X-Secret", "1")
		return Refuse(403, "no")
	}}}))
	p.feed([]byte(wsHead("/")))
	var next State
	p.Bind(2, &next, nil)
	p.out, p.err, p.kept = nil, nil, nil
	p.feed([]byte("\x16"))
	if p.err == nil || bytes.Contains(p.out, []byte("Secret")) {
		t.Errorf("got %v, %q", p.err, p.out)
	}
}

// One upgrader serves every connection of its loop.
func TestUpgradesInARow(t *testing.T) {
	p := newPeer(t, testRoutes(t))
	for i, key := range []string{"dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA=="} {
		p.out, p.kept, p.state = nil, nil, State{}
		p.Bind(uint64(i), &p.state, nil)
		p.feed([]byte(head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key: "+key, version)))
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if want := "Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"; !strings.Contains(string(p.out), want) {
			t.Errorf("got %q, want %q", p.out, want)
		}
	}
}

func TestOpenCloses(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		want    string
		closing bool // it waits for the peer's close frame
	}{
		"close code": {CloseError{Code: 4000, Reason: "x"}, "\x88\x03\x0f\xa0x", true},
		"error":      {errors.New("secret"), "\x88\x02\x03\xf3", false},
	} {
		p := newPeer(t, mustCompile(t, map[string]Route{"/": {Open: func(*Conn) error { return test.err }}}))
		p.feed([]byte(wsHead("/")))
		if !p.state.Upgraded() || !strings.HasSuffix(string(p.out), "\r\n\r\n"+test.want) || p.state.Closing() != test.closing {
			t.Errorf("%s: got %q, %+v", name, p.out, p.state)
		}
	}
}

func TestRawHead(t *testing.T) {
	p := newPeer(t, mustCompile(t, map[string]Route{"/": {
		Head:    func(_ *Conn, r *Request, out []byte) []byte { return append(out, "raw "+r.Path()...) },
		Message: echoBack,
	}}))
	p.feed([]byte(wsHead("/") + frame("hi")))
	if string(p.out) != "raw /\x81\x02hi" || !p.state.Open() || !p.state.Upgraded() {
		t.Errorf("got %q, %+v", p.out, p.state)
	}
}

func TestAddHeaderPanics(t *testing.T) {
	for _, h := range [][2]string{{"", "x"}, {"a b", "x"}, {"a:", "x"}, {"a", "x\r\ny: z"}, {"a", "x\x00"}, {"a\r\nb", "x"}} {
		p := newPeer(t, mustCompile(t, map[string]Route{"/": {Message: echoBack, Upgrade: func(c *Conn, _ *Request) error {
			c.AddHeader(h[0], h[1])
			return nil
		}}}))
		p.feed([]byte(wsHead("/")))
		var e *PanicError
		if !errors.As(p.err, &e) || len(p.out) > 0 {
			t.Errorf("%q: got %v, %q", h, p.err, p.out)
		}
	}
}

// E2: a connection above the cap is refused once its request is read.
func TestRefusedByTheMover(t *testing.T) {
	p := newPeer(t, testRoutes(t))
	p.state.Refuse()
	in := wsHead("/echo")
	p.feed([]byte(in[:len(in)-1]))
	if len(p.out) > 0 {
		t.Fatalf("got %q before the head was whole", p.out)
	}
	p.feed([]byte(in[len(in)-1:]))
	if r := responses(t, p.out)[0]; r.StatusCode != 503 || r.Header.Get("Retry-After") != "5" {
		t.Errorf("got %q", p.out)
	}
}

// An Upgrade that ends the connection has it end without an answer.
func TestEndInUpgrade(t *testing.T) {
	opened := false
	p := newPeer(t, mustCompile(t, map[string]Route{"/": {
		Upgrade: func(c *Conn, _ *Request) error { c.End(Reset); return nil },
		Open:    func(*Conn) error { opened = true; return nil },
		Message: func(*Conn, ws.OpCode, []byte) error { opened = true; return nil },
	}}))
	p.feed([]byte(wsHead("/") + frame("x")))
	if opened || len(p.out) > 0 || p.state.Upgraded() || len(p.loop.ended) != 1 {
		t.Errorf("got %q, %+v, %v", p.out, p.state, p.loop.ended)
	}
}

func TestServedState(t *testing.T) {
	p := newPeer(t, testRoutes(t))
	p.feed([]byte(head("GET /page HTTP/1.1", host)))
	if !p.state.Served() || p.work != nil {
		t.Errorf("got %+v, %v after a page", p.state, p.work)
	}
	p.feed([]byte("G"))
	if p.state.Served() || p.work == nil {
		t.Errorf("got %+v, %v in a head", p.state, p.work)
	}
	p.feed([]byte(wsHead("/echo")[1:]))
	if p.state.Served() || !p.state.Open() || p.work != nil {
		t.Errorf("got %+v, %v after the upgrade", p.state, p.work)
	}
}

// A Refusal that a handler made by hand, with a status that refuses nothing, is
// its failure.
func TestBadRefusal(t *testing.T) {
	for _, status := range []int{0, 101, 199, 600} {
		_, body, p := answerTo(t, func(*Response, *Request) error { return &Refusal{Status: status, Text: "x"} }, "GET")
		if !strings.HasPrefix(body, "500 ") || p.err == nil {
			t.Errorf("%d: got %q, %v", status, body, p.err)
		}
	}
}

func TestRefusePanics(t *testing.T) {
	for _, status := range []int{0, 101, 199, 600} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Refuse(%d) did not panic", status)
				}
			}()
			_ = Refuse(status, "x")
		}()
	}
}

func TestRejectLabels(t *testing.T) {
	seen := make(map[string]bool)
	for r := range Rejects {
		if s := r.String(); s == "" || seen[s] {
			t.Errorf("label %d: got %q", r, s)
		}
		seen[r.String()] = true
	}
}
