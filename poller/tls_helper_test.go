package poller

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// authority makes certificates for one test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	made := a.issue("test authority", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate for a name and 127.0.0.1; edit may change it before
// it is signed. The first one signs itself.
func (a *authority) issue(name string, edit func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	want := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(want)
	}
	parent, signer := want, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, want, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server is a server's configuration.
func (a *authority) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.issue("test.example", nil)}, NextProtos: []string{"http/1.1"}}
}

// client is a client's configuration.
func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, ServerName: "test.example", NextProtos: []string{"http/1.1"}}
}

// startTLS is start for a server of TLS.
func startTLS(t testing.TB, a *authority, table map[string]websocket.Route, change func(*Config)) *running {
	t.Helper()
	return start(t, table, func(c *Config) {
		c.TLS = a.server()
		if change != nil {
			change(c)
		}
	})
}

// secured is a client of TLS.
type secured struct {
	*tls.Conn
	tcp *net.TCPConn
	t   testing.TB
	r   *bufio.Reader
}

// secure makes a TLS connection of one that was only opened.
func (c *client) secure(config *tls.Config) *secured {
	c.t.Helper()
	conn := tls.Client(c.TCPConn, config)
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	return &secured{conn, c.TCPConn, c.t, bufio.NewReader(conn)}
}

// dialTLS opens a WebSocket connection with the client of gobwas/ws.
func (s *running) dialTLS(config *tls.Config, path string) *secured {
	s.t.Helper()
	var tcp *net.TCPConn
	d := ws.Dialer{Timeout: patience, TLSClient: func(conn net.Conn, _ string) net.Conn {
		tcp = conn.(*net.TCPConn)
		return tls.Client(conn, config)
	}}
	conn, r, _, err := d.Dial(context.Background(), "wss://"+s.Addrs()[0].String()+path)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &secured{conn.(*tls.Conn), tcp, s.t, r}
	s.t.Cleanup(func() { c.tcp.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * patience))
	if r == nil {
		c.r = bufio.NewReader(conn)
	}
	return c
}

func (c *secured) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// plain is the connection as the helpers of plain ones know it.
func (c *secured) want(op ws.OpCode, p string) {
	c.t.Helper()
	gotOp, got, err := readFrame(c.r)
	if err != nil || gotOp != op || string(got) != p {
		c.t.Fatalf("got opcode %d and %d bytes %.60q, %v, want %d and %.60q", gotOp, len(got), got, err, op, p)
	}
}

// echo sends a text and waits for it.
func (c *secured) echo(p string) {
	c.t.Helper()
	c.write(masked(ws.OpText, []byte(p), true))
	c.want(ws.OpText, p)
}

// wantEOF waits for the server's close_notify, and then TCP's end.
func (c *secured) wantEOF() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err != io.EOF {
		c.t.Fatalf("got byte %#x, %v, want the end of TLS", b, err)
	}
	if n, err := c.tcp.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		c.t.Fatalf("got %d bytes, %v, want the end of TCP", n, err)
	}
}

// finish answers a close frame and waits for the end.
func (c *secured) finish(code ws.StatusCode) {
	c.t.Helper()
	c.write(masked(ws.OpClose, closeBody(code, ""), true))
	c.wantEOF()
}

// versions are those that are spoken.
var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}
