//go:build linux

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
)

// browse returns a function that asks for pages as a browser does: on one
// connection that is kept. connections counts how many it took all the same.
func browse(t *testing.T, host string) (get func(method, path, tag string) (*http.Response, string), connections *int) {
	t.Helper()
	transport := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	connections = new(int)
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			*connections++
		}
	}})
	return func(method, path, tag string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(trace, method, "http://"+host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		w, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		body, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w, string(body)
	}, connections
}

// Every kind of file is asked for whole, then for its head alone, then whether
// it has changed.
func TestPages(t *testing.T) {
	get, connections := browse(t, startGateway(t))
	for path, media := range map[string]string{
		"/": "text/html; charset=utf-8", "/tutorial": "text/html; charset=utf-8", "/console/tutorial.js": "text/javascript; charset=utf-8",
		"/console/style.css": "text/css; charset=utf-8", "/console/main.js": "text/javascript; charset=utf-8", "/console/favicon.svg": "image/svg+xml",
	} {
		whole, body := get("GET", path, "")
		head, none := get("HEAD", path, "")
		tag := whole.Header.Get("ETag")
		known, nothing := get("GET", path, `"other", W/`+tag)
		if whole.StatusCode != 200 || len(body) == 0 || int64(len(body)) != whole.ContentLength || whole.Header.Get("Content-Type") != media {
			t.Errorf("%s: got status %d, type %q, %d bytes of %d", path, whole.StatusCode, whole.Header.Get("Content-Type"), len(body), whole.ContentLength)
		}
		if head.StatusCode != 200 || none != "" || head.ContentLength != whole.ContentLength {
			t.Errorf("HEAD %s: got status %d, length %d", path, head.StatusCode, head.ContentLength)
		}
		if known.StatusCode != 304 || nothing != "" {
			t.Errorf("%s with its tag: got status %d, %q", path, known.StatusCode, nothing)
		}
		for _, w := range []*http.Response{whole, head, known} {
			if w.Header.Get("Cache-Control") != "no-cache" || w.Header.Get("ETag") != tag || !strings.Contains(w.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: status %d has headers %v", path, w.StatusCode, w.Header)
			}
			if w.StatusCode == 200 && w.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: got X-Content-Type-Options %q", path, w.Header.Get("X-Content-Type-Options"))
			}
		}
	}
	if *connections != 1 {
		t.Errorf("took %d connections, want one that is kept", *connections)
	}
}

// Whatever is answered to a plain request says what it is, so that no browser
// guesses; every page lets nothing in but our own files.
func TestHeadersOfAllPages(t *testing.T) {
	host := startGateway(t)
	_, body := ask(t, host, "GET", "/routes")
	var all []listed
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, r := range all {
		path := strings.NewReplacer("{file}", "main.js", "{code}", "404", "{name}", "rsv1").Replace(r.Path)
		w, _ := ask(t, host, "GET", path)
		if w.Header.Get("X-Content-Type-Options") != "nosniff" || w.Header.Get("Content-Type") == "" {
			t.Errorf("%s: status %d has headers %v", path, w.StatusCode, w.Header)
		}
		if !strings.HasPrefix(w.Header.Get("Content-Type"), "text/html") {
			continue
		}
		pages++
		if policy := w.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: got policy %q", path, policy)
		}
	}
	if pages != 3 {
		t.Errorf("got %d pages, want the console, the zoo and the tutorial", pages)
	}
}

// Only the files that are embedded are served, whatever the path says.
func TestNoOtherFiles(t *testing.T) {
	host := startGateway(t)
	for _, path := range []string{"/console/", "/console/nothing.js", "/console/console.go", "/console/pages", "/console/routes.go", "/console/..%2froutes.go", "/console/../routes.go", "/console/%2e%2e/console.go", "/console"} {
		if w, body := ask(t, host, "GET", path); w.StatusCode != 404 {
			t.Errorf("%s: got status %d, %.40q", path, w.StatusCode, body)
		}
	}
}
