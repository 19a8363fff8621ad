//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// presents is the certificate that a server shows.
func presents(t *testing.T, host string) []byte {
	t.Helper()
	conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw
}

// replace puts the files of one certificate in the place of another's.
func replace(t *testing.T, old, with certified) {
	t.Helper()
	for from, to := range map[string]string{with.key: old.key, with.cert: old.cert} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
}

// A new certificate is taken by itself when its files change, and on SIGHUP; a bad
// one is refused, and the old one stays. Who is connected stays connected.
func TestCertificateIsRenewed(t *testing.T) {
	for _, watch := range []string{"20ms", "0"} {
		dir := t.TempDir()
		a, b := certify(t, dir, "a.example", nil), certify(t, dir, "b.example", nil)
		p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--tls-cert", a.cert, "--tls-key", a.key, "--tls-watch", watch)
		refused, hangup := "new certificate refused, the old one stays", func() {}
		if watch == "0" {
			refused, hangup = "new configuration refused, the old one stays", func() { _ = p.Process.Signal(syscall.SIGHUP) }
		}
		conn, _ := dialTLS(t, p.host, "/echo", trusting("a.example", a))
		good, err := os.ReadFile(a.cert)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.cert, good[:len(good)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		hangup()
		p.waitFor(t, refused)
		if !bytes.Equal(presents(t, p.host), a.leaf.Raw) {
			t.Errorf("watch %s: a bad certificate has changed something", watch)
		}
		replace(t, a, b)
		hangup()
		wait(t, "the new certificate", func() bool { return bytes.Equal(presents(t, p.host), b.leaf.Raw) })
		send(t, conn, ws.OpText, "still here")
		wantFrame(t, conn, ws.OpText, "still here")
	}
}

// A reload that switches the looking off is heeded: what is in the files then
// waits for SIGHUP.
func TestCertificateIsNoLongerWatched(t *testing.T) {
	dir := t.TempDir()
	a, file := certify(t, dir, "a.example", nil), filepath.Join(dir, "gateway.yaml")
	watch := func(every string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("tls-watch: "+every+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	watch("1ms")
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--tls-cert", a.cert, "--tls-key", a.key, "--config", file)
	watch("0")
	p.hangup(t, "configuration reloaded")
	if err := os.WriteFile(a.cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 20 { // a millisecond each, and more
		presents(t, p.host)
	}
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for text := ""; !strings.Contains(text, "new configuration refused"); {
		var err error
		if text, err = p.log.ReadString('\n'); err != nil || strings.Contains(text, "new certificate refused") {
			t.Fatalf("got %q, %v", text, err)
		}
	}
}

// wait waits until cond holds.
func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// What was made of the same files keeps its session keys: a reload that changes
// something else does not end anybody's session.
func TestSessionsOutliveReload(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	c := parsed(t, "--tls-cert", a.cert, "--tls-key", a.key)
	log := slog.New(slog.DiscardHandler)
	if err := c.loadTLS(nil, log); err != nil {
		t.Fatal(err)
	}
	again := parsed(t, "--tls-cert", a.cert, "--tls-key", a.key, "--max-message", "1KiB")
	if err := again.loadTLS(c.tls, log); err != nil || again.tls != c.tls {
		t.Errorf("got another, %v", err)
	}
	b := certify(t, t.TempDir(), "b.example", nil)
	replace(t, a, b)
	if err := again.loadTLS(c.tls, log); err != nil || again.tls == c.tls {
		t.Errorf("got the same of other files, %v", err)
	}
}

// parsed is a configuration of the command line.
func parsed(t *testing.T, args ...string) *Config {
	t.Helper()
	_, c, err := parse(args, lookup(nil), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Bad files end the start with 2, and the message has the flag and the file.
func TestBadCertificates(t *testing.T) {
	dir := t.TempDir()
	a, b := certify(t, dir, "a.example", nil), certify(t, dir, "b.example", nil)
	empty, long := filepath.Join(dir, "empty"), filepath.Join(dir, "long")
	for file, size := range map[string]int{empty: 0, long: fileMost + 1} {
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := func(want string, args ...string) {
		t.Helper()
		var errOut bytes.Buffer
		code := run(append(args, "--listen", "127.0.0.1:0", "--admin", "off"), lookup(nil), io.Discard, &errOut)
		if code != exitUsage || !strings.Contains(errOut.String(), want) {
			t.Errorf("%q: exit code %d, %s want %q", args, code, errOut.String(), want)
		}
	}
	bad("--tls-cert: open "+dir+"/none: no such file", "--tls-cert", dir+"/none", "--tls-key", a.key)
	bad("--tls-key: open "+dir+"/none: no such file", "--tls-cert", a.cert, "--tls-key", dir+"/none")
	bad("--tls-cert: "+a.cert+" with --tls-key "+b.key+": tls: private key does not match", "--tls-cert", a.cert, "--tls-key", b.key)
	bad("--tls-cert: "+empty+" with --tls-key "+a.key+": tls: failed to find any PEM data", "--tls-cert", empty, "--tls-key", a.key)
	bad("--tls-cert: "+long+": more than 1MiB", "--tls-cert", long, "--tls-key", a.key)
	good := []string{"--tls-cert", a.cert, "--tls-key", a.key}
	bad("--tls-client-ca: "+empty+": no certificate in PEM", append(good, "--tls-client-auth", "require", "--tls-client-ca", empty)...)
	bad("--tls-key: 0 of them do not go with 1 of --tls-cert", "--tls-cert", a.cert)
	bad("--tls-self-signed: does not go with --tls-cert", append(good, "--tls-self-signed")...)
	bad("--tls-client-auth: require does not go without --tls-client-ca", append(good, "--tls-client-auth", "require")...)
	bad("--tls-client-ca: does nothing while --tls-client-auth is off", append(good, "--tls-client-ca", a.cert)...)
	bad("--tls-client-ca: does nothing without --tls-cert", "--tls-client-auth", "require", "--tls-client-ca", a.cert)
	bad(`--tls-client-auth: "maybe" is not a way to ask clients: accepted are off, optional, require`, "--tls-client-auth", "maybe")
	bad("--listen", "--listen", "127.0.0.1:0?tls=on")
}

// A certificate that has expired is served, and warned of: who renews it needs
// the gateway to be up.
func TestExpiredCertificateIsWarnedOf(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	var log bytes.Buffer
	c := parsed(t, "--tls-cert", a.cert, "--tls-key", a.key)
	if err := c.loadTLS(nil, slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), "has expired") {
		t.Errorf("got %v, %s", err, log.String())
	}
}

func TestSelfSigned(t *testing.T) {
	var log bytes.Buffer
	c := parsed(t, "--tls-self-signed")
	if err := c.loadTLS(nil, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	leaf := c.tls.config.Certificates[0].Leaf
	if got := log.String(); !strings.Contains(got, "not for production") || !strings.Contains(got, fingerprint(leaf)) {
		t.Errorf("the log says %s", got)
	}
	host := startGateway(t, "--tls-self-signed")
	leaf, err := x509.ParseCertificate(presents(t, host))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1"} {
		conn, _ := dialTLS(t, host, "/echo", trusting(name, certified{leaf: leaf}))
		send(t, conn, ws.OpText, "hello")
		wantFrame(t, conn, ws.OpText, "hello")
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	a, client, stranger := certify(t, dir, "a.example", nil), certify(t, dir, "client", nil), certify(t, dir, "stranger", nil)
	for auth, wants := range map[string]map[string]bool{
		"optional": {"none": true, "client": true, "stranger": false},
		"require":  {"none": false, "client": true, "stranger": false},
	} {
		host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key, "--tls-client-ca", client.cert, "--tls-client-auth", auth)
		for who, pair := range map[string]*tls.Certificate{"none": {}, "client": &client.pair, "stranger": &stranger.pair} {
			config := trusting("a.example", a)
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
			conn, _, _, err := ws.Dialer{Timeout: 10 * time.Second, TLSConfig: config}.Dial(context.Background(), "wss://"+host+"/echo")
			if (err == nil) != wants[who] {
				t.Errorf("%s, %s: got %v", auth, who, err)
			}
			if conn != nil {
				conn.Close()
			}
		}
	}
}

// Plain and TLS stand side by side.
func TestPlainBesideTLS(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	p := startProgram(t, nil, nil, "--tls-cert", a.cert, "--tls-key", a.key, "--listen", "127.0.0.1:0?tls=off", "--listen", "127.0.0.2:0")
	plain, _ := dial(t, "ws://"+p.host+"/echo")
	send(t, plain, ws.OpText, "plain")
	wantFrame(t, plain, ws.OpText, "plain")
	addrs := p.start["addrs"].([]any)
	secure, _ := dialTLS(t, addrs[1].(string), "/echo", trusting("a.example", a))
	send(t, secure, ws.OpText, "secure")
	wantFrame(t, secure, ws.OpText, "secure")
}
