package zoo

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"echogate/gateway/console"
)

func get(t *testing.T, accept string) (r *http.Response, body string) {
	t.Helper()
	r = serve().Get("/zoo", "Accept: "+accept)
	if r.StatusCode != 200 || r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Vary") != "Accept" {
		t.Errorf("got status %d, %v", r.StatusCode, r.Header)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(text)
}

// The array has what a grading tool needs, under the names that it goes by.
func TestList(t *testing.T) {
	for _, accept := range []string{"application/json", "text/plain, Application/JSON;q=0.9"} {
		r, body := get(t, accept)
		var all []map[string]any
		if err := json.Unmarshal([]byte(body), &all); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("got %s, %v: %s", r.Header.Get("Content-Type"), err, body)
		}
		if len(all) != len(animals) {
			t.Errorf("got %d animals, want %d", len(all), len(animals))
		}
		want := map[string]any{
			"name": "rsv1", "url": "/zoo/rsv1", "kind": "frame", "section": "5.2",
			"does": "RSV1 set, with no extension that gives it a meaning", "must": "fail the connection",
		}
		i := slices.IndexFunc(all, func(a map[string]any) bool { return a["name"] == "rsv1" })
		fits := all[i]["fits"].([]any)
		if len(fits) != 2 || fits[0] != "failed" || fits[1] != "closed_1002" || len(all[i]) != len(want)+1 {
			t.Errorf("got %v", all[i])
		}
		for key, v := range want {
			if all[i][key] != v {
				t.Errorf("%s: got %v, want %v", key, all[i][key], v)
			}
		}
	}
}

// The page names every animal, asks for nothing but the console's files, and has
// the console's policy.
func TestPage(t *testing.T) {
	r, body := get(t, "text/html,*/*;q=0.8")
	if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("got type %s", got)
	}
	if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("got policy %q", policy)
	}
	for _, a := range animals {
		if strings.Count(body, `<a href="/#`+a.URL+`"`) != 1 {
			t.Errorf("the page does not name %s once", a.Name)
		}
	}
	files := console.Files()
	for _, m := range regexp.MustCompile(`(?:href|src)="(/console/)?([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if _, ok := files[m[2]]; m[1] != "" && !ok {
			t.Errorf("the page asks for %s, which is not served", m[0])
		}
	}
	for _, forbidden := range []string{"<style", " style=", "<script>", " onclick", "javascript:", "{{"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page has %s", forbidden)
		}
	}
}
