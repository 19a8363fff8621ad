package main

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The server of --exec is started, measured, and ended.
func TestExec(t *testing.T) {
	r := result(t, "echo", "-c", "3", "-n", "3000", "--exec", os.Args[0]+" --listen 127.0.0.1:{port}", "ws://127.0.0.1:{port}/echo")
	if r.Count != 3000 || r.Errors != 0 {
		t.Errorf("got %d messages and %d errors, want 3000 and none", r.Count, r.Errors)
	}
	if u := r.Server; u == nil || u.Delta.CPU <= 0 || u.Delta.Descriptors != 3 || u.End.RSS == 0 {
		t.Errorf("got figures of the server %s, want its CPU time, memory, and a descriptor for each connection", jsonOf(t, u))
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", u.Host); err == nil {
		c.Close()
		t.Errorf("the server still listens on %s", u.Host)
	}
}

func TestExecThatFails(t *testing.T) {
	taken := startServer(t, echo)
	for _, x := range []struct{ command, url, want string }{
		{"echo nothing to serve {port}; false", "ws://127.0.0.1:{port}/", "ended before it listened"},
		{"./no-such-program {port}", "ws://127.0.0.1:{port}/", "no-such-program"},
		{os.Args[0] + " --listen 127.0.0.1:0", taken.url(), "listens on " + taken.Addr().String() + " already"},
	} {
		code, _, errOut := bench(t, "echo", "-d", "1s", "--exec", x.command, x.url)
		if code != exitFailed || !strings.Contains(errOut, x.want) {
			t.Errorf("%s: got exit code %d and %q, want %d and %q", x.command, code, errOut, exitFailed, x.want)
		}
	}
}

// Every round runs every server under every load, one server after the other.
func TestCompareInterleaves(t *testing.T) {
	dir := t.TempDir()
	file, markdown := filepath.Join(dir, "c.json"), filepath.Join(dir, "c.md")
	code, out, errOut := bench(t, "compare", "--rounds", "2", "-d", "100ms", "-c", "1,2", "--json", file, "--markdown", markdown,
		"--peer", "A="+os.Args[0], "--peer", "B="+os.Args[0]+" --listen 127.0.0.1:{port}", "--peer", "C="+os.Args[0], "--only", "A,B")
	if code != exitOK {
		t.Fatalf("got exit code %d and %q", code, errOut)
	}
	for _, want := range []string{"echo, 1 × 64B, pipeline 1", "echo, 2 × 64B, pipeline 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("got no row %q in\n%s", want, out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c Comparison
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	type step struct {
		started         time.Time
		name, candidate string
	}
	var steps []step
	for _, cell := range c.Cells {
		for candidate, runs := range cell.Runs {
			for _, r := range runs {
				steps = append(steps, step{r.Started, cell.Name[6:7], candidate})
				if r.Errors != 0 || r.Count == 0 || r.Server == nil || r.Server.CPUPerMessage <= 0 {
					t.Errorf("%s, %s: got %d messages, %d errors, server %s", cell.Name, candidate, r.Count, r.Errors, jsonOf(t, r.Server))
				}
			}
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return a.started.Compare(b.started) })
	order := ""
	for _, s := range steps {
		order += s.name + s.candidate + " "
	}
	if want := "1A 1B 2A 2B 1A 1B 2A 2B "; order != want {
		t.Errorf("got order %q, want %q", order, want)
	}
	if text, err := os.ReadFile(markdown); err != nil || !strings.Contains(string(text), "| echo, 1 × 64B, pipeline 1 |") {
		t.Errorf("got Markdown %q, %v", text, err)
	}
}
