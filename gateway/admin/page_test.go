package admin

import (
	"regexp"
	"strings"
	"testing"

	"echogate/poller/websocket"
)

// What a file of the page refers to on this host.
var reference = regexp.MustCompile(`(?:href="|src="|from "|fetch\("|fetch\(.)(/[^"?]*)["?]`)

// Every file that the page asks for is there, and every one is asked for.
func TestPageReferences(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	asked := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if asked[path] {
			return
		}
		asked[path] = true
		if path == "/drain" {
			return // is posted to
		}
		w, body := g.ask(t, "GET", path)
		if w.StatusCode != 200 {
			t.Errorf("%s: got status %d, want 200", path, w.StatusCode)
		}
		if path != "/" && !strings.HasPrefix(path, "/page/") {
			return
		}
		for _, m := range reference.FindAllStringSubmatch(body, -1) {
			follow(m[1])
		}
	}
	follow("/")
	for _, path := range []string{"/live", "/metrics", "/connections", "/drain", "/page/style.css"} {
		if !asked[path] {
			t.Errorf("the page does not ask for %s", path)
		}
	}
	list, err := pages.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if path := "/page/" + f.Name(); !asked[path] && f.Name() != "index.html" {
			t.Errorf("nothing asks for %s", path)
		}
	}
}

// Nothing is asked of another host, and the page has nothing inside that its
// policy forbids.
func TestPagePolicy(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	w, body := g.ask(t, "GET", "/")
	policy := w.Header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("the policy %q has no %s", policy, directive)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
	for what, pattern := range map[string]string{
		"something of another host": `(?i)(href|src|from|url)\s*[=(]?\s*["']?(https?:)?//`,
		"a script of its own":       `(?i)<script(?:\s+type="[^"]*")?\s*>`,
		"a style of its own":        `(?i)<style|\sstyle=`,
		"an event's script":         `(?i)<[^>]*\son[a-z]+=`,
	} {
		if found := regexp.MustCompile(pattern).FindString(body); found != "" {
			t.Errorf("the page has %s: %q", what, found)
		}
	}
}
