package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// beSecure echoes over TLS until it is killed.
func beSecure(address, cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err == nil {
		var ln net.Listener
		if ln, err = tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{pair}}); err == nil {
			newServer(ln, echo).accept()
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Servers with and without TLS are compared under the same load, and what is
// resumed is said to be.
func TestCompareTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.json")
	code, out, errOut := bench(t, "compare", "--rounds", "1", "-d", "100ms", "-c", "2", "--mode", "storm", "--resume", "--json", file,
		"--peer", "plain="+os.Args[0], "--peer", "secure="+os.Args[0]+" --tls-cert {cert} --tls-key {key}")
	if code != exitOK {
		t.Fatalf("got exit code %d and %q", code, errOut)
	}
	const name = "storm, 2 × 64B, pipeline 1, resumed"
	if !strings.Contains(out, name) {
		t.Errorf("got no row %q in\n%s", name, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c Comparison
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	for candidate, scheme := range map[string]string{"plain": "ws://", "secure": "wss://"} {
		r := c.Cells[0].Runs[candidate][0]
		if r.Errors != 0 || r.Count == 0 || !strings.HasPrefix(r.URL, scheme) {
			t.Errorf("%s: got %d messages, %d errors, %s", candidate, r.Count, r.Errors, r.URL)
		}
		if notes := strings.Join(r.Notes, "; "); strings.Contains(notes, "resumed") != (candidate == "secure") {
			t.Errorf("%s: got notes %q", candidate, notes)
		}
	}
}

// The servers of the repository that are compared with TLS, and without.
func TestPeersForTLS(t *testing.T) {
	t.Chdir("..")
	names := func(c *compareCommand) string {
		peers, err := c.candidates()
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, p := range peers {
			list = append(list, p.Name)
		}
		return strings.Join(list, " ")
	}
	if got, want := names(&compareCommand{TLS: true}), "gateway gateway-tls nethttps"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := names(&compareCommand{TLS: true, Compression: true}), "gateway gateway-tls"; got != want {
		t.Errorf("with compression: got %s, want %s", got, want)
	}
	if got := names(&compareCommand{}); strings.Contains(got, httpsName) || strings.Contains(got, secureName) {
		t.Errorf("without: got %s", got)
	}
}

func TestCompareResumeNeedsTLS(t *testing.T) {
	code, _, errOut := bench(t, "compare", "--resume")
	if code != exitUsage || !strings.Contains(errOut, "--resume") {
		t.Errorf("got exit code %d and %q, want 2 and the flag", code, errOut)
	}
}
