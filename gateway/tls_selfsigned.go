package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"time"
)

// selfSignedTime is how long a certificate for development is good.
const selfSignedTime = 90 * 24 * time.Hour

// selfSigned gives m a certificate made now, or the one that was made before.
func (c *Config) selfSigned(m, old *material, log *slog.Logger) error {
	m.sum = sha256.Sum256([]byte("self-signed"))
	if old != nil && old.sum == m.sum {
		c.tls = old
		return nil
	}
	pair, err := newCertificate(time.Now())
	if err != nil {
		return c.wrong("tls-self-signed", "%w", err)
	}
	m.config.Certificates = []tls.Certificate{pair}
	log.Warn("self-signed certificate: for development, not for production",
		"names", pair.Leaf.DNSNames, "expires", pair.Leaf.NotAfter, "sha256", fingerprint(pair.Leaf))
	c.tls = m
	return nil
}

// newCertificate makes a certificate for this machine that signs itself.
func newCertificate(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, err
	}
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "localhost" {
		names = append(names, host)
	}
	want := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "echogate, for development"},
		DNSNames:     names,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(selfSignedTime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// So that it may be given to a client as the authority that it trusts.
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, want, want, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
