//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// While --tls-client-auth is off nobody is asked for a certificate: browsers would
// show a dialog.
func TestClientsAreNotAsked(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key)
	config := trusting("a.example", a)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t.Error("a certificate was asked for")
		return new(tls.Certificate), nil
	}
	dialTLS(t, host, "/echo", config)
}

// TLS 1.2 is the least, whatever Go would allow; HTTP/1.1 is what is agreed on, if
// the client asks; and who comes again resumes.
func TestWhatIsNegotiated(t *testing.T) {
	t.Setenv("GODEBUG", "tls10server=1")
	a := certify(t, t.TempDir(), "a.example", nil)
	host := startGateway(t, "--tls-cert", a.cert, "--tls-key", a.key)
	shake := func(edit func(*tls.Config)) (tls.ConnectionState, error) {
		config := trusting("a.example", a)
		edit(config)
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", host, config)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.ConnectionState(), nil
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, err := shake(func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version })
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "protocol version not supported") {
			t.Errorf("%s: got %v", tls.VersionName(version), err)
		}
	}
	for offer, want := range map[string]string{"": "", "http/1.1": "http/1.1", "h2 http/1.1": "http/1.1"} {
		state, err := shake(func(c *tls.Config) { c.NextProtos = strings.Fields(offer) })
		if err != nil || state.NegotiatedProtocol != want {
			t.Errorf("%q: got %q, %v, want %q", offer, state.NegotiatedProtocol, err, want)
		}
	}
	if _, err := shake(func(c *tls.Config) { c.NextProtos = []string{"h2"} }); err == nil || !strings.Contains(err.Error(), "no application protocol") {
		t.Errorf("HTTP/2 alone: got %v", err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := trusting("a.example", a)
		config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
		for i := range 3 { // on different loops
			conn, state := dialTLS(t, host, "/echo", config)
			if state.DidResume != (i > 0) {
				t.Errorf("%s, connection %d: resumed %t", tls.VersionName(version), i+1, state.DidResume)
			}
			send(t, conn, ws.OpText, "the ticket is read before this")
			wantFrame(t, conn, ws.OpText, "the ticket is read before this")
		}
	}
}

// Of what is bad in the files the log tells once, not at every look; of what is
// bad in another way, and of the same that comes back, again.
func TestBadCertificateIsSaidOnce(t *testing.T) {
	dir := t.TempDir()
	a := certify(t, dir, "a.example", nil)
	c := parsed(t, "--listen", "127.0.0.1:0", "--admin", "off", "--tls-cert", a.cert, "--tls-key", a.key)
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	g, err := newGateway(c, lookup(nil), log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { g.ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-g.ended; err != nil {
			t.Error(err)
		}
	})
	good, err := os.ReadFile(a.cert)
	if err != nil {
		t.Fatal(err)
	}
	said := func(content []byte, refused, taken int) {
		t.Helper()
		if err := os.WriteFile(a.cert, content, 0o600); err != nil {
			t.Fatal(err)
		}
		text.Reset()
		for range 3 {
			g.renewTLS()
		}
		if got := strings.Count(text.String(), "new certificate refused, the old one stays"); got != refused {
			t.Errorf("refused %d times, want %d: %s", got, refused, text.String())
		}
		if got := strings.Count(text.String(), "new certificate in force"); got != taken {
			t.Errorf("taken %d times, want %d: %s", got, taken, text.String())
		}
	}
	said(nil, 1, 0)
	said(nil, 0, 0)
	said([]byte(strings.Repeat("x", fileMost+1)), 1, 0)
	said(good, 0, 0) // it is what is in force
	said(nil, 1, 0)
	b := certify(t, t.TempDir(), "b.example", nil)
	replace(t, a, b)
	renewed, err := os.ReadFile(a.cert)
	if err != nil {
		t.Fatal(err)
	}
	said(renewed, 0, 1)
	if got := g.Config().TLS.Certificates[0].Certificate[0]; !bytes.Equal(got, b.leaf.Raw) {
		t.Error("the new certificate is not in force")
	}
}

// Who takes over speaks TLS with the same files on the same socket.
func TestTakeOverWithTLS(t *testing.T) {
	a := certify(t, t.TempDir(), "a.example", nil)
	p := handedOn(t, nil, "--drain", "0", "--tls-cert", a.cert, "--tls-key", a.key)
	before, _ := dialTLS(t, p.host, "/echo", trusting("a.example", a))
	p.takeOver(t, p.Process.Pid)
	conn, _ := dialTLS(t, p.host, "/echo", trusting("a.example", a))
	send(t, conn, ws.OpText, "hello")
	wantFrame(t, conn, ws.OpText, "hello")
	wantFrame(t, before, ws.OpClose, "\x03\xe9going away")
}
