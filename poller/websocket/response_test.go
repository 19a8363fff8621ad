package websocket

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answerTo returns the response of a route to one request.
func answerTo(t *testing.T, h func(*Response, *Request) error, method string, fields ...string) (r *http.Response, body string, p *peer) {
	t.Helper()
	p = newPeer(t, mustCompile(t, map[string]Route{"/": {HTTP: h}}))
	p.feed([]byte(head(method+" / HTTP/1.1", append(fields, host)...)))
	b := bufio.NewReader(strings.NewReader(string(p.out)))
	r, err := http.ReadResponse(b, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", p.out, err)
	}
	all, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%q: %v", p.out, err)
	}
	if n := b.Buffered(); n > 0 {
		t.Errorf("%q: %d bytes more than its length", p.out, n)
	}
	return r, string(all), p
}

func consolePage() Response {
	return Response{Type: "text/html; charset=utf-8", ETag: `"v1"`, Cache: "no-cache", Policy: "default-src 'self'",
		Header: [][2]string{{"X-One", "1"}}, Body: []byte("<p>hello")}
}

// Both ways to answer a page give the same bytes.
func TestPages(t *testing.T) {
	for name, h := range map[string]func(*Response, *Request) error{
		"made":   func(w *Response, _ *Request) error { *w = consolePage(); return nil },
		"static": NewStatic(consolePage()).HTTP,
	} {
		t.Run(name, func(t *testing.T) { testPage(t, h) })
	}
}

func testPage(t *testing.T, h func(*Response, *Request) error) {
	for _, test := range []struct {
		method, field string
		status        int
		body          string
	}{
		{"GET", "", 200, "<p>hello"},
		{"HEAD", "", 200, ""},
		{"GET", `If-None-Match: "v1"`, 304, ""},
		{"HEAD", `If-None-Match: "v1"`, 304, ""},
		{"GET", `If-None-Match: W/"v1"`, 304, ""},
		{"GET", `If-None-Match: *`, 304, ""},
		{"GET", `if-none-match: "a,b" , W/"x","v1"`, 304, ""},
		{"GET", `If-None-Match: "v2"`, 200, "<p>hello"},
		{"GET", `If-None-Match: "v1`, 200, "<p>hello"},
		{"GET", `If-None-Match: v1`, 200, "<p>hello"},
		{"GET", `If-None-Match:`, 200, "<p>hello"},
	} {
		fields := []string{"Accept: */*"}
		if test.field != "" {
			fields = append(fields, test.field)
		}
		r, body, p := answerTo(t, h, test.method, fields...)
		if r.StatusCode != test.status || body != test.body || p.err != nil || r.Close {
			t.Errorf("%s %s: got %d %q %v, close %v", test.method, test.field, r.StatusCode, body, p.err, r.Close)
		}
		for name, want := range map[string]string{"Etag": `"v1"`, "Cache-Control": "no-cache", "X-One": "1", "Content-Security-Policy": "default-src 'self'"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s %s: got %s %q, want %q", test.method, test.field, name, got, want)
			}
		}
		if r.StatusCode == 200 && (r.Header.Get("Content-Length") != "8" || r.Header.Get("Content-Type") != "text/html; charset=utf-8") {
			t.Errorf("%s %s: got %q", test.method, test.field, p.out)
		}
	}
}

// HEAD is answered with the headers of GET (RFC 9110 §9.3.2).
func TestHeadEqualsGet(t *testing.T) {
	for _, h := range []func(*Response, *Request) error{
		page, NewStatic(consolePage()).HTTP, func(*Response, *Request) error { return Refuse(403, "no") },
	} {
		_, body, get := answerTo(t, h, "GET")
		_, none, head := answerTo(t, h, "HEAD")
		if string(head.out)+body != string(get.out) || none != "" || body == "" {
			t.Errorf("got %q for HEAD, %q for GET", head.out, get.out)
		}
	}
}

func TestKeepAlive(t *testing.T) {
	r, _, p := answerTo(t, page, "GET", "Connection: x, close")
	if !r.Close || !errors.Is(p.err, ErrHTTPDone) || !p.state.Ended() {
		t.Errorf("got %q, %v", p.out, p.err)
	}
	p = newPeer(t, testRoutes(t))
	for range 3 {
		p.feed([]byte(head("GET /page HTTP/1.1", host)))
	}
	if all := responses(t, p.out); len(all) != 3 || p.err != nil || !p.state.Served() {
		t.Errorf("got %q, %v", p.out, p.err)
	}
}

func TestStatuses(t *testing.T) {
	for status, want := range map[int]string{
		0: "200 OK", 404: "404 Not Found", 204: "204 No Content", 299: "299 Success", 418: "418 I'm a teapot", 599: "599 Server Error",
	} {
		h := func(w *Response, _ *Request) error {
			*w = Response{Status: status, ETag: `"v1"`, Body: []byte("body")}
			return nil
		}
		r, body, _ := answerTo(t, h, "GET")
		if r.Status != want || (body == "body") != (status != 204) {
			t.Errorf("%d: got %s %q", status, r.Status, body)
		}
		if r, _, _ := answerTo(t, h, "GET", `If-None-Match: "v1"`); (r.StatusCode == 304) != (status == 0) {
			t.Errorf("%d: got %s for one that is known", status, r.Status)
		}
	}
}

// A page that could split its response, or has no status, is never sent.
func TestBadPages(t *testing.T) {
	for _, bad := range []Response{
		{Status: 101}, {Status: 600}, {Type: "a\r\nb: c"}, {ETag: "\n"}, {Cache: "\x00"}, {Policy: "\r"}, {Header: [][2]string{{"a b", "c"}}},
	} {
		p := newPeer(t, mustCompile(t, map[string]Route{"/": {HTTP: func(w *Response, _ *Request) error { *w = bad; return nil }}}))
		p.feed([]byte(head("GET / HTTP/1.1", host)))
		var e *PanicError
		if !errors.As(p.err, &e) || len(p.out) > 0 {
			t.Errorf("%+v: got %v, %q", bad, p.err, p.out)
		}
	}
}
