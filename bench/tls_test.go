package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startTLS starts a server of TLS, and returns the file of its certificate. edit
// may change how it speaks.
func startTLS(t *testing.T, edit func(*tls.Config)) (s *testServer, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, want, want, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if edit != nil {
		edit(config)
	}
	return startServer(t, echo, func(s *testServer) { s.Listener = tls.NewListener(s.Listener, config) }), ca
}

func (s *testServer) secureURL() string { return "wss://" + s.Addr().String() + "/echo" }

// Every mode drives a server of TLS, and the report says how it was encrypted.
func TestModesOverTLS(t *testing.T) {
	for _, mode := range []string{
		"echo -c 5 --pipeline 3", "echo -c 2 --size 300KiB", "rate -c 5 --rate 500", "idle -c 5 --probes 200",
		"storm -c 5", "storm -c 5 --reconnect", "mixed -c 5 --active 2 --churn 50", "slow -c 3 --control 2 --size 10KiB",
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(mode+" "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				s, ca := startTLS(t, func(c *tls.Config) { c.MaxVersion = version })
				r := overTLS(t, append(strings.Fields(mode), "-d", "500ms", "--ca", ca, s.secureURL()))
				if r.Count == 0 || r.Errors > 0 || r.Lost > 0 {
					t.Errorf("%d echoes, %d errors, %d lost: %q", r.Count, r.Errors, r.Lost, r.Notes)
				}
				if notes := strings.Join(r.Notes, "; "); !strings.Contains(notes, tls.VersionName(version)+", TLS_") || !strings.Contains(notes, "full handshake") {
					t.Errorf("the report says %q, want the version and the cipher", notes)
				}
			})
		}
	}
}

// overTLS runs the program and returns its result.
func overTLS(t *testing.T, args []string) (r Result) {
	t.Helper()
	code, out, errOut := bench(t, append(args, "--json", "-")...)
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s", code, err, errOut)
	}
	return r
}

// A server may ask for the client's certificate.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	s, ca := startTLS(t, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	cert, key := clientPair(t)
	r := overTLS(t, []string{"echo", "-c", "2", "-n", "10", "--procs", "2", "--ca", ca, "--cert", cert, "--key", key, s.secureURL()})
	if r.Count != 10 || r.Errors > 0 {
		t.Errorf("%d echoes, %d errors: %q", r.Count, r.Errors, r.Notes)
	}
	code, out, _ := bench(t, "echo", "-c", "1", "-n", "1", "--ca", ca, s.secureURL())
	if code != exitFailed || !strings.Contains(out, "certificate required") {
		t.Errorf("without one: exit code %d: %s", code, out)
	}
}

// clientPair makes a certificate and its key.
func clientPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, want, want, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestResume(t *testing.T) {
	t.Parallel()
	s, _ := startTLS(t, nil)
	r := overTLS(t, []string{"storm", "-c", "2", "-d", "500ms", "--insecure", "--resume", s.secureURL()})
	if notes := strings.Join(r.Notes, "; "); !strings.Contains(notes, "resumed") || r.Errors > 0 {
		t.Errorf("%d errors; the report says %q, want resumed sessions", r.Errors, notes)
	}
}

// A certificate that nobody vouches for is an error, and said so.
func TestUntrustedServer(t *testing.T) {
	t.Parallel()
	s, _ := startTLS(t, nil)
	_, other := startTLS(t, nil)
	for _, args := range [][]string{nil, {"--ca", other}} {
		code, out, errOut := bench(t, append(append([]string{"echo", "-c", "1", "-d", "200ms", "--fail", "errors==0"}, args...), s.secureURL())...)
		if code != 1 || !strings.Contains(out+errOut, "certificate") {
			t.Errorf("%q: exit code %d: %s%s", args, code, out, errOut)
		}
	}
	code, _, errOut := bench(t, "echo", "-c", "1", "--ca", "/no/such/file", s.secureURL())
	if code != 2 || !strings.Contains(errOut, "--ca: open /no/such/file") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}
