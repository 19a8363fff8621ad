package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// verdicts runs abuse and returns its exit code and what it judged.
func verdicts(t *testing.T, args ...string) (int, Verdicts) {
	t.Helper()
	code, out, errOut := bench(t, append([]string{"abuse", "--scale", "0.01", "--quiet", "200ms", "--json", "-"}, args...)...)
	var v Verdicts
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("exit code %d, %v in %q; %s", code, err, out, errOut)
	}
	return code, v
}

// buildGateway builds the gateway of this repository.
func buildGateway(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), gatewayName)
	build := exec.Command("go", "build", "-o", file, "./"+gatewayName)
	build.Dir = ".."
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return file
}

// The gateway keeps promises that hold at any size and speed.
func TestAbuseOfTheGateway(t *testing.T) {
	file := buildGateway(t)
	speed := map[string]bool{
		"  within": true, "CPU of a core, percent": true, "connections a second": true,
		"served clients go: their places used within": true, "limit raised: the rest served within": true,
		"bystanders' p99": true, "all closed within": true,
	}
	_, got := verdicts(t, "--gateway", file, "--row", "B1,B2,E1,E2,F1,G4,H1,T2,T3")
	if len(got) != 10 { // T2 is two
		t.Fatalf("got %d verdicts, want 10", len(got))
	}
	for _, v := range got {
		if v.Error != "" || len(v.Checks) < 2 {
			t.Errorf("%s: got %d checks, error %q", v.Row, len(v.Checks), v.Error)
		}
		for _, c := range v.Checks {
			if !c.Held && !speed[c.Name] {
				t.Errorf("%s: %s: got %s, want %s", v.Row, c.Name, c.Text, c.Bound)
			}
		}
	}
}

// A server without the limits is found out, and its bystanders are none the
// worse.
func TestAbuseOfAServerWithoutLimits(t *testing.T) {
	code, got := verdicts(t, "--exec", os.Args[0]+" --listen 127.0.0.1:{port}", "--row", "A2")
	if code != exitFailed || len(got) != 1 || got[0].Held() {
		t.Fatalf("got exit code %d and %+v, want 1 and a row that does not hold", code, got)
	}
	held := map[string]bool{"status": false, "bystanders lost": true}
	for _, c := range got[0].Checks {
		if want, ok := held[c.Name]; ok && c.Held != want {
			t.Errorf("%s: got %v, want %v", c.Name, c.Held, want)
		}
		delete(held, c.Name)
	}
	if len(held) > 0 {
		t.Errorf("no checks %v in %+v", held, got[0])
	}
}

// A server that does not start costs its row, which says why.
func TestAbuseWithoutAServer(t *testing.T) {
	code, got := verdicts(t, "--exec", "echo cannot serve {port}; false", "--row", "A2")
	if code != exitFailed || len(got) != 1 || !strings.Contains(got[0].Error, "ended before it listened") {
		t.Errorf("got exit code %d and %+v, want 1 and why the server did not start", code, got)
	}
}

func TestAbuseBadFlags(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"--scale 0", "--scale"},
		{"--scale 1.5", "--scale"},
		{"--quiet 0s", "--quiet"},
		{"--row A1,Z9", `"Z9"`},
		{"--exec gateway", "{port}"},
		{"--exec {port} --gateway g", "--gateway"},
		{"--row A1 --json no/such/directory", "no/such/directory"},
	} {
		code, _, errOut := bench(t, append([]string{"abuse"}, strings.Fields(x.args)...)...)
		if code != exitUsage || !strings.Contains(errOut, x.want) {
			t.Errorf("%s: got exit code %d and %q, want 2 and %s", x.args, code, errOut, x.want)
		}
	}
}

func TestAbuseRows(t *testing.T) {
	for _, r := range abuseRows {
		if r.promise == "" || r.size < 1 || r.play == nil {
			t.Errorf("%s is not complete", r.id)
		}
		if r.clients(1) != r.size || r.clients(0.001) > r.size {
			t.Errorf("%s: got %d clients of %d at full size, %d at a thousandth", r.id, r.clients(1), r.size, r.clients(0.001))
		}
		if got := r.arguments(0.5); strings.Contains(got, "{") {
			t.Errorf("%s: got flags %q", r.id, got)
		}
	}
}

func TestVerdictsTable(t *testing.T) {
	v := Verdicts{
		{Row: "A1", Promise: "a promise", Checks: []Check{
			{Name: "quiet", Text: "1 ms", Held: true},
			{Name: "growth", Text: "1 MiB", Bound: "≤ 2 MiB", Held: true},
			{Name: "left", Text: "3", Bound: "= 0"},
		}},
		{Row: "B2", Promise: "another", Error: "no server\nwhich wrote more"},
		{Row: "B3", Promise: "a third", Checks: []Check{{Name: "x", Text: "1", Held: true}}},
	}
	var b bytes.Buffer
	if err := v.Write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `
row   promise     measured    figure     bound
A1    a promise   quiet         1 ms
                  growth       1 MiB   ≤ 2 MiB   held
                  left             3       = 0   NOT HELD
B2    another     no server                      NOT HELD
B3    a third     x                1
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
	if err := v.failed(); err == nil || err.Error() != "not held: A1, B2" {
		t.Errorf("got %v, want A1 and B2 not held", err)
	}
	if err := v[2:].failed(); err != nil {
		t.Errorf("got %v of a row that holds", err)
	}
	if Verdicts(nil).failed() == nil {
		t.Error("got no error of a run without rows")
	}
}

func TestClientHeader(t *testing.T) {
	for _, length := range []uint64{0, 125, 126, 1<<16 - 1, 1 << 16, 1 << 62} {
		h, err := ws.ReadHeader(bytes.NewReader(clientHeader(ws.OpText, true, length)))
		want := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: int64(length)}
		if err != nil || h != want {
			t.Errorf("got %+v, %v, want %+v", h, err, want)
		}
	}
	if got := clientHeader(ws.OpContinuation, false, 1<<63); !bytes.Equal(got, []byte("\x00\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")) {
		t.Errorf("got %x for a length with its top bit set", got)
	}
}
