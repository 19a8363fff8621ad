package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// This file is TLS in a comparison: every server that is spoken to so shows the
// same certificate, which is made for it.

const (
	// certPlace and keyPlace stand for the files of the certificate and its key in
	// a command, whose server is spoken to with TLS then.
	certPlace = "{cert}"
	keyPlace  = "{key}"
	tlsFlags  = " --tls-cert " + certPlace + " --tls-key " + keyPlace
)

// secureName is the gateway with TLS in the tables, httpsName the server of
// bench/peers that speaks nothing else.
const (
	secureName = gatewayName + "-tls"
	httpsName  = "nethttps"
)

// secure are the repository's servers for a comparison of TLS: the gateway, in
// the clear too, and net/http.
func secure(peers []*Peer) []*Peer {
	var list []*Peer
	for _, p := range peers {
		switch p.Name {
		case gatewayName:
			with := *p
			with.Name, with.flags = secureName, p.flags+tlsFlags
			list = append(list, p, &with)
		case httpsName:
			p.flags += tlsFlags
			list = append(list, p)
		}
	}
	return list
}

// certify gives the servers that are to be spoken to with TLS their certificate.
func certify(peers []*Peer, dir string) error {
	if !slices.ContainsFunc(peers, func(p *Peer) bool { return strings.Contains(p.Command, certPlace) }) {
		return nil
	}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := writeCertificate(cert, key); err != nil {
		return err
	}
	for _, p := range peers {
		p.secure = strings.Contains(p.Command, certPlace)
		p.Command = strings.NewReplacer(certPlace, cert, keyPlace, key).Replace(p.Command)
	}
	return nil
}

// certificateTime is longer than any comparison.
const certificateTime = 30 * 24 * time.Hour

// writeCertificate makes a certificate for 127.0.0.1 that signs itself: ECDSA on
// P-256, as most sites have.
func writeCertificate(cert, key string) error {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	want := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateTime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	public, err := x509.CreateCertificate(rand.Reader, want, want, &secret.PublicKey, secret)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}

// scheme is how the peer is spoken to.
func (p *Peer) scheme() string {
	if p.secure {
		return "wss"
	}
	return "ws"
}
