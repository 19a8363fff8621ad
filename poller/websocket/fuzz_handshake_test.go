package websocket

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// FuzzHandshake: how a request is cut changes nothing; what net/http refuses, or
// takes for a request of another length, never becomes a 101; whatever comes,
// what leaves are whole responses.
func FuzzHandshake(f *testing.F) {
	for _, test := range handshakeCases {
		f.Add([]byte(test.in), uint16(len(test.in)/2))
	}
	f.Add([]byte(chromeHead), uint16(7))
	routes := testRoutes(f)
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		whole := newPeer(t, routes)
		whole.feed(in)
		pieces := newPeer(t, routes)
		at := int(cut) % (len(in) + 1)
		pieces.feed(in[:at])
		pieces.feed(in[at:])
		if !bytes.Equal(whole.out, pieces.out) || fmt.Sprint(whole.err) != fmt.Sprint(pieces.err) {
			t.Fatalf("whole: %q, %v\ncut at %d: %q, %v", whole.out, whole.err, at, pieces.out, pieces.err)
		}
		first := newPeer(t, routes)
		n, err := first.handshake(bytes.Clone(in))
		if err == nil && n > 0 {
			compare(t, in, n, first)
		}
		if !first.state.Upgraded() && len(first.out) > 0 {
			responses(t, first.out)
		}
	})
}

// compare reads an accepted request with net/http.
func compare(t *testing.T, in []byte, n int, p *peer) {
	skip := 0
	for skip < maxBlank && bytes.HasPrefix(in[skip:], []byte("\r\n")) {
		skip += 2 // RFC 9112 §2.2 allows them, net/http's reader does not
	}
	source := bytes.NewReader(in[skip:])
	b := bufio.NewReader(source)
	r, err := http.ReadRequest(b)
	if err != nil {
		t.Fatalf("%q: accepted, but net/http says %v", in[:n], err)
	}
	if used := len(in) - source.Len() - b.Buffered(); used != n {
		t.Fatalf("%q: %d bytes, for net/http %d", in, n, used)
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		t.Fatalf("%q: accepted a body or a version", in[:n])
	}
	if got := p.up.request; string(got.path) != orSlash(r.URL.Path) || string(got.host) != r.Host {
		t.Fatalf("%q: path %q host %q, for net/http %q %q", in[:n], got.path, got.host, r.URL.Path, r.Host)
	}
	if !p.state.Upgraded() {
		return
	}
	listed := func(name, token string) bool {
		return strings.Contains(strings.ToLower(strings.Join(r.Header.Values(name), ",")), token)
	}
	if r.Method != "GET" || !listed("Upgrade", "websocket") || !listed("Connection", "upgrade") ||
		r.Header.Get("Sec-WebSocket-Version") != "13" || len(r.Header.Get("Sec-WebSocket-Key")) != keyLen {
		t.Fatalf("%q: upgraded", in[:n])
	}
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
