package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket/websockettest"
)

func TestAliases(t *testing.T) {
	file := filepath.Join(t.TempDir(), "aliases")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# an alias file\n\n/ /echo\n\t/old\t/close?code=4000\n  # indented\n/both /echo?drop=1\n")
	c := &Config{AliasFile: file, Alias: []string{"/flaky=/echo?dup=1&seed=7", "/both=/echo?goodbye=0", "/.ws=/discard", "/echo=/time"}, Faults: SwitchOn}
	routes, all, err := table(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := websockettest.NewServerOf(routes)
	for path, want := range map[string]string{
		"/": `text "a"`, "/old": `close 4000 ""`, "/flaky": `text "a", text "a"`, "/both": `text "a"`, "/.ws": "",
		"/flaky?dup=2": `text "a", text "a", text "a"`, // the client's own comes first
	} {
		c := s.Dial(path)
		c.Send(ws.OpText, "a")
		if got := c.Frames(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if r := s.Dial("/flaky").Response(); r.Header.Get("X-Echogate-Seed") != "7" {
		t.Errorf("got %v", r.Header)
	}
	if r := s.Get("/"); r.StatusCode != 426 {
		t.Errorf("the alias / of /echo has a page: %s", r.Status)
	}
	seen := map[string]string{}
	for _, l := range all {
		if seen[l.path] != "" {
			t.Errorf("%s is listed twice", l.path)
		}
		seen[l.path] = l.about
	}
	if seen["/echo"] != "alias of /time" || seen["/flaky"] != "alias of /echo?dup=1&seed=7" {
		t.Errorf("got %v", seen)
	}

	for text, want := range map[string]string{
		"/a /nowhere\n":        `:1: "/a /nowhere": no such path: accepted are those that "gateway routes" lists, perhaps with a query`,
		"\n/a\n":               `:2: "/a": accepted are /path /target and /path /target?query`,
		"/a /echo more\n":      `:1: "/a /echo more": accepted are /path /target and /path /target?query`,
		"#\n/a /echo?drop=2\n": `:2: "/a /echo?drop=2": drop: accepted is 0 to 1`,
		"a /echo\n":            `:1: "a /echo": does not begin with a slash`,
	} {
		write(text)
		if _, _, err := table(&Config{AliasFile: file, Faults: SwitchOn}, nil); err == nil || err.Error() != file+want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, file+want)
		}
	}
	for text, want := range map[string]string{
		"/a":             `--alias: "/a": accepted are /path=/target and /path=/target?query`,
		"/a=/nowhere":    `--alias: "/a=/nowhere": no such path: accepted are those that "gateway routes" lists, perhaps with a query`,
		"/a?x=/echo":     `--alias: "/a?x=/echo": an alias is a path, without ? and #`,
		"/a=/echo?rate=": `--alias: "/a=/echo?rate=": rate: accepted is 1 to 1000000000`,
	} {
		if _, _, err := table(&Config{Alias: []string{text}, Faults: SwitchOn}, nil); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
	if _, _, err := table(&Config{Alias: []string{"/{a...}=/echo", "/{b...}=/echo"}, Faults: SwitchOn}, nil); err == nil || !strings.HasPrefix(err.Error(), "--alias: ") {
		t.Errorf("two aliases for all paths: got %v", err)
	}
	if _, _, err := table(&Config{Alias: []string{"/a=/slow?rate=1"}, Faults: SwitchOff}, nil); err != nil {
		t.Errorf("a path's own parameter: %v", err)
	}
	if _, _, err := table(&Config{Alias: []string{"/a=/echo?rate=1"}, Faults: SwitchOff}, nil); err == nil {
		t.Error("a fault was taken though they are off")
	}
	if _, _, err := table(&Config{AliasFile: "/nowhere", Faults: SwitchOn}, nil); err == nil || !strings.HasPrefix(err.Error(), "--alias-file: ") {
		t.Errorf("got %v", err)
	}
}

// An alias of all paths answers where no route does, and takes the place of no
// other; one that matches what a route does takes its place, in the list too.
func TestAliasPatterns(t *testing.T) {
	routes, all, err := table(&Config{Alias: []string{"/{any...}=/echo", "/zoo/{animal}=/close?code=4000"}, Faults: SwitchOn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := websockettest.NewServerOf(routes)
	for path, want := range map[string]string{"/no/such/path": `text "a"`, "/raw": `text "a"`, "/zoo/rsv1": `close 4000 ""`, "/discard": ""} {
		c := s.Dial(path)
		c.Send(ws.OpText, "a")
		if got := c.Frames(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	var paths []string
	for _, l := range all {
		paths = append(paths, l.path)
	}
	if !slices.Contains(paths, "/{any...}") || !slices.Contains(paths, "/zoo/{animal}") || slices.Contains(paths, "/zoo/{name}") {
		t.Errorf("got the list %q", paths)
	}
}
