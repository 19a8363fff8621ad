package console

import (
	"regexp"
	"strings"
	"testing"
)

// What a file refers to on this host.
var reference = regexp.MustCompile(`(?:href="|src="|from ")(/[^"]*)"`)

// Every file that a page or script asks for is there, and every one is asked
// for.
func TestReferences(t *testing.T) {
	all := Files()
	used := map[string]bool{"index.html": true, "tutorial.html": true, "zoo.css": true, "zoo.js": true} // package zoo has the page of the last two
	for name, f := range all {
		for _, m := range reference.FindAllStringSubmatch(string(f.Body), -1) {
			path := m[1]
			if path == "/" || path == "/tutorial" || path == "/zoo" {
				continue
			}
			file := strings.TrimPrefix(path, "/console/")
			if _, ok := all[file]; !ok || file == path {
				t.Errorf("%s asks for %s, which is not served", name, path)
			}
			used[file] = true
		}
	}
	for name := range all {
		if !used[name] {
			t.Errorf("nothing asks for %s", name)
		}
	}
	if len(used) < 10 {
		t.Errorf("only %d files were found", len(used))
	}
}

// Nothing is asked of another host, and nothing is in a page that its policy
// forbids: the browser would only say so in its console.
func TestPagesKeepTheirPolicy(t *testing.T) {
	for what, pattern := range map[string]string{
		"something of another host": `(?i)(href|src|from|import|url)\s*[=(]?\s*["']?(https?:)?//`,
		"a script of its own":       `(?i)<script(?:\s+(?:type|defer)(?:="[^"]*")?)*\s*>`,
		"a style of its own":        `(?i)<style|\sstyle=`,
		"an event's script":         `(?i)<[^>]*\son[a-z]+=`,
		"a link that is a script":   `(?i)javascript:`,
	} {
		forbidden := regexp.MustCompile(pattern)
		for name, f := range Files() {
			if strings.HasSuffix(name, ".js") && !strings.HasPrefix(what, "something") {
				continue // a script may name an attribute
			}
			if found := forbidden.Find(f.Body); found != nil {
				t.Errorf("%s has %s: %q", name, what, found)
			}
		}
	}
}

func TestPolicy(t *testing.T) {
	for name, f := range Files() {
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self' ws: wss:",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		} {
			if !strings.Contains("; "+f.Policy+";", "; "+directive+";") {
				t.Errorf("%s: the policy %q has no %s", name, f.Policy, directive)
			}
		}
		if strings.Contains(f.Policy, "unsafe") {
			t.Errorf("%s: the policy is %q", name, f.Policy)
		}
	}
}

// A file that differs has another tag, and one that does not has the same.
func TestTags(t *testing.T) {
	seen := make(map[string]string)
	again := Files()
	for name, f := range Files() {
		if other, ok := seen[f.ETag]; ok || len(f.ETag) < 10 {
			t.Errorf("%s has the tag %s, as %q has", name, f.ETag, other)
		}
		seen[f.ETag] = name
		if again[name].ETag != f.ETag {
			t.Errorf("%s has the tag %s, then %s", name, f.ETag, again[name].ETag)
		}
	}
}
