package admin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"echogate/poller/websocket"
)

// TestGuard: who is answered what. Requests are handed to the handler, for a
// test has no other host to come from.
func TestGuard(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	const here, elsewhere = "127.0.0.1:5000", "192.0.2.7:5000"
	for _, tt := range []struct {
		name         string
		open         bool
		from, method string
		path, host   string
		header       [2]string
		want         int
	}{
		{"health from here", false, here, "GET", "/healthz", "127.0.0.1:9999", [2]string{}, 200},
		{"health from elsewhere", false, elsewhere, "GET", "/healthz", "gateway:9999", [2]string{}, 200},
		{"readiness from elsewhere", false, elsewhere, "GET", "/readyz", "gateway:9999", [2]string{}, 200},
		{"metrics from elsewhere", false, elsewhere, "GET", "/metrics", "gateway:9999", [2]string{}, 200},
		{"metrics for HEAD", false, elsewhere, "HEAD", "/metrics", "gateway:9999", [2]string{}, 200},
		{"health is not posted to", false, elsewhere, "POST", "/healthz", "192.0.2.1:9999", [2]string{}, 403},
		{"profiles from elsewhere", false, elsewhere, "GET", "/debug/pprof/", "192.0.2.1:9999", [2]string{}, 403},
		{"profiles from elsewhere, opened", true, elsewhere, "GET", "/debug/pprof/", "gateway:9999", [2]string{}, 200},
		{"profiles from here", false, here, "GET", "/debug/pprof/", "localhost:9999", [2]string{}, 200},
		{"from here over IPv6", false, "[::1]:5000", "GET", "/debug/pprof/", "[::1]:9999", [2]string{}, 200},
		{"from here, v4-mapped", false, "[::ffff:127.0.0.1]:5000", "GET", "/debug/pprof/", "127.0.0.1", [2]string{}, 200},
		{"a rebound name", false, here, "GET", "/debug/pprof/", "evil.example:9999", [2]string{}, 403},
		{"no Host", false, here, "GET", "/debug/pprof/", "", [2]string{}, 403},
		{"a path that is not there, from elsewhere", false, elsewhere, "GET", "/secret", "192.0.2.1", [2]string{}, 403},
		{"a path that is not there", false, here, "GET", "/secret", "127.0.0.1", [2]string{}, 404},
		{"the wrong method", false, here, "GET", "/drain?percent=1", "127.0.0.1", [2]string{}, 405},
		{"drain from elsewhere", false, elsewhere, "POST", "/drain?percent=x", "192.0.2.1", [2]string{}, 403},
		{"drain from elsewhere, opened", true, elsewhere, "POST", "/drain?percent=x", "192.0.2.1", [2]string{}, 400},
		{"drain from elsewhere, opened, by name", true, elsewhere, "POST", "/drain?percent=x", "gateway", [2]string{}, 403},
		{"drain from here", false, here, "POST", "/drain?percent=x", "LOCALHOST:9999", [2]string{}, 400},
		{"drain of our page", false, here, "POST", "/drain?percent=x", "127.0.0.1:9999", [2]string{"Origin", "http://127.0.0.1:9999"}, 400},
		{"drain of another page", false, here, "POST", "/drain?percent=x", "127.0.0.1:9999", [2]string{"Origin", "http://evil.example"}, 403},
		{"drain of a page on another port", false, here, "POST", "/drain?percent=x", "127.0.0.1:9999", [2]string{"Origin", "http://127.0.0.1:9998"}, 403},
		{"drain of a file", false, here, "POST", "/drain?percent=x", "127.0.0.1:9999", [2]string{"Origin", "null"}, 403},
		{"drain of another page, fetch metadata", false, here, "POST", "/drain?percent=x", "127.0.0.1:9999", [2]string{"Sec-Fetch-Site", "same-site"}, 403},
		{"drain by a rebound name", false, here, "POST", "/drain?percent=x", "evil.example", [2]string{"Origin", "http://evil.example"}, 403},
		{"a profile inside another page", false, here, "GET", "/debug/pprof/heap", "127.0.0.1", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		g.Set(Options{Open: tt.open})
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.RemoteAddr, r.Host = tt.from, tt.host
		if tt.header[0] != "" {
			r.Header.Set(tt.header[0], tt.header[1])
		}
		w := httptest.NewRecorder()
		g.http.Handler.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %s %s: got status %d %q, want %d", tt.name, tt.method, tt.path, w.Code, w.Body, tt.want)
		}
	}
}

// A link on another page may be followed, and who comes over a Unix socket has
// been let in by its mode.
func TestGuardLets(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	link := httptest.NewRequest("GET", "/debug/pprof/", nil)
	link.RemoteAddr, link.Host = "127.0.0.1:5000", "127.0.0.1:9999"
	link.Header.Set("Sec-Fetch-Site", "cross-site")
	link.Header.Set("Sec-Fetch-Mode", "navigate")
	unix := httptest.NewRequest("GET", "/debug/pprof/", nil)
	unix.RemoteAddr, unix.Host = "@", "whatever"
	unix = unix.WithContext(context.WithValue(unix.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "x", Net: "unix"}))
	for name, r := range map[string]*http.Request{"a link": link, "a Unix socket": unix} {
		w := httptest.NewRecorder()
		g.http.Handler.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s: got status %d %q, want 200", name, w.Code, w.Body)
		}
	}
}
