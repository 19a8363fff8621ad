//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"testing"

	"github.com/gobwas/ws"
)

func TestTLSEcho(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key)
	conn, state := dialTLS(t, host, "/echo", trusting("a.example", a))
	if state.Version != tls.VersionTLS13 {
		t.Errorf("got %s, want TLS 1.3", tls.VersionName(state.Version))
	}
	send(t, conn, ws.OpText, "hello")
	wantFrame(t, conn, ws.OpText, "hello")
}

// A client gets the certificate of the name that it asks for; of another name,
// the first.
func TestCertificateByName(t *testing.T) {
	dir := t.TempDir()
	a, b := certify(t, dir, "a.example", nil), certify(t, dir, "b.example", nil)
	host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key, "--tls-cert", b.cert, "--tls-key", b.key)
	for name, want := range map[string]certified{"a.example": a, "b.example": b, "127.0.0.1": a} {
		_, state := dialTLS(t, host, "/echo", trusting(name, a, b))
		if got := state.PeerCertificates[0]; !bytes.Equal(got.Raw, want.leaf.Raw) {
			t.Errorf("%s: got the certificate of %v", name, got.DNSNames)
		}
	}
}

// limits.md T3: what is older than TLS 1.2 is refused, whatever the client would
// do with it.
func TestTLSOfOldIsRefused(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key)
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true} {
		config := trusting("a.example", a)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, version
		conn, err := tls.Dial("tcp", host, config)
		if err == nil {
			conn.Close()
		}
		if got := err == nil; got != want {
			t.Errorf("%s: got %v, want it taken: %t", tls.VersionName(version), err, want)
		}
	}
}
