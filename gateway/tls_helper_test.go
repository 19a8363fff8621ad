//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// certified is a certificate in files.
type certified struct {
	cert, key string // the files
	leaf      *x509.Certificate
	pair      tls.Certificate
}

// certify makes a certificate that signs itself, for a name and 127.0.0.1, in
// files of a directory. edit may change it before it is signed.
func certify(t *testing.T, dir, name string, edit func(*x509.Certificate)) certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(want)
	}
	der, err := x509.CreateCertificate(rand.Reader, want, want, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := certified{cert: filepath.Join(dir, name+".crt"), key: filepath.Join(dir, name+".key")}
	c.leaf, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c.pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	writePEM(t, c.cert, "CERTIFICATE", der)
	writePEM(t, c.key, "PRIVATE KEY", secret)
	return c
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// trusting is a client's configuration that trusts certificates.
func trusting(name string, all ...certified) *tls.Config {
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c.leaf)
	}
	return &tls.Config{RootCAs: pool, ServerName: name}
}

// dialTLS connects gobwas/ws's own client, and returns what it was shown.
func dialTLS(t *testing.T, host, path string, config *tls.Config) (net.Conn, tls.ConnectionState) {
	t.Helper()
	d := ws.Dialer{Timeout: 10 * time.Second, TLSConfig: config}
	conn, _, _, err := d.Dial(context.Background(), "wss://"+host+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn, conn.(*tls.Conn).ConnectionState()
}
