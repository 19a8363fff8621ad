package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// material is what TLS is spoken with. It stays the same value, with the keys of
// its session tickets, for as long as the files hold the same.
type material struct {
	config *tls.Config
	sum    [sha256.Size]byte // of all that it was made of
}

// configuration is the poller's; nil: plain.
func (m *material) configuration() *tls.Config {
	if m == nil {
		return nil
	}
	return m.config
}

// checkTLS compares the flags with each other; the files are not looked at.
func (c *Config) checkTLS() error {
	switch {
	case len(c.TLSKey) != len(c.TLSCert):
		return c.wrong("tls-key", "%d of them do not go with %d of %s: accepted are as many", len(c.TLSKey), len(c.TLSCert), c.named("tls-cert"))
	case c.TLSSelfSigned && len(c.TLSCert) > 0:
		return c.wrong("tls-self-signed", "does not go with %s: accepted is one of them", c.named("tls-cert"))
	case c.TLSClientAuth != ClientAuthOff && len(c.TLSClientCA) == 0:
		return c.wrong("tls-client-auth", "%s does not go without %s: it says whose certificates are good", c.TLSClientAuth, c.named("tls-client-ca"))
	case len(c.TLSClientCA) > 0 && c.TLSClientAuth == ClientAuthOff:
		return c.wrong("tls-client-ca", "does nothing while %s is off: accepted are optional and require with it", c.named("tls-client-auth"))
	case len(c.TLSClientCA) > 0 && !c.speaksTLS():
		return c.wrong("tls-client-ca", "does nothing without %s", c.named("tls-cert"))
	}
	return nil
}

func (c *Config) speaksTLS() bool { return len(c.TLSCert) > 0 || c.TLSSelfSigned }

// loadTLS reads the files. What was made of the same is taken from old.
func (c *Config) loadTLS(old *material, log *slog.Logger) error {
	if !c.speaksTLS() {
		c.tls = nil
		return nil
	}
	m := &material{config: &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		ClientAuth: map[ClientAuth]tls.ClientAuthType{
			ClientAuthOptional: tls.VerifyClientCertIfGiven,
			ClientAuthRequire:  tls.RequireAndVerifyClientCert,
		}[c.TLSClientAuth],
		// Small records let a page be shown before it is whole; a message is
		// delivered whole, and long ones cost less in long records.
		DynamicRecordSizingDisabled: true,
	}}
	if c.TLSSelfSigned {
		return c.selfSigned(m, old, log)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, c.TLSClientAuth)
	if err := errors.Join(c.loadPairs(m.config, sum), c.loadClientCAs(m.config, sum)); err != nil {
		return err
	}
	sum.Sum(m.sum[:0])
	if old != nil && old.sum == m.sum {
		c.tls = old
		return nil
	}
	for i, pair := range m.config.Certificates {
		leaf := pair.Leaf
		log.Info("certificate", "file", c.TLSCert[i], "names", leaf.DNSNames, "expires", leaf.NotAfter, "sha256", fingerprint(leaf))
		if time.Now().After(leaf.NotAfter) {
			log.Warn("certificate has expired", "file", c.TLSCert[i], "expired", leaf.NotAfter)
		}
	}
	c.tls = m
	return nil
}

// loadPairs reads the certificates and their keys.
func (c *Config) loadPairs(config *tls.Config, sum io.Writer) error {
	for i := range c.TLSCert {
		cert, err := readInto(sum, c.TLSCert[i])
		if err != nil {
			return c.wrong("tls-cert", "%w", err)
		}
		key, err := readInto(sum, c.TLSKey[i])
		if err != nil {
			return c.wrong("tls-key", "%w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return c.wrong("tls-cert", "%s with %s %s: %w", c.TLSCert[i], c.named("tls-key"), c.TLSKey[i], err)
		}
		config.Certificates = append(config.Certificates, pair)
	}
	return nil
}

// loadClientCAs reads who signs what clients show.
func (c *Config) loadClientCAs(config *tls.Config, sum io.Writer) error {
	if len(c.TLSClientCA) == 0 {
		return nil
	}
	config.ClientCAs = x509.NewCertPool()
	for _, file := range c.TLSClientCA {
		data, err := readInto(sum, file)
		if err != nil {
			return c.wrong("tls-client-ca", "%w", err)
		}
		if !config.ClientCAs.AppendCertsFromPEM(data) {
			return c.wrong("tls-client-ca", "%s: no certificate in PEM", file)
		}
	}
	return nil
}

// fileMost is more than any file of certificates has.
const fileMost = 1 << 20

// readInto reads a file, and adds it to a sum.
func readInto(sum io.Writer, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileMost+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > fileMost:
		return nil, fmt.Errorf("%s: more than %v", file, Size(fileMost))
	}
	fmt.Fprintf(sum, "%d %s\n", len(data), data)
	return data, nil
}

// fingerprint is how people compare certificates.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
