package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// This file is TLS on an event loop: crypto/tls, which knows blocking connections
// alone, on a transport that says "not now". The handshake cannot be told that,
// so it runs in a coroutine that is suspended inside its reads.

// sealAtOnce is how many bytes are encrypted before they are sent.
const sealAtOnce = 64 << 10

// sealing is what a loop has for connections of TLS: nothing without them.
type sealing struct {
	sessions map[int32]*session // by the connection's id
	plain    []byte             // what is decrypted
	sealed   []byte             // memory for what is encrypted; a session has it until it was sent
}

// session is the TLS of one connection.
type session struct {
	conn *tls.Conn
	in   []byte // what has come
	out  []byte // what the socket has not taken
	sent int    // bytes of out

	// Of the handshake.
	yield func(struct{}) bool // suspends it; nil: it is over
	next  func() (struct{}, bool)
	stop  func()
	err   error
}

// errWouldBlock is temporary: crypto/tls reads again after it.
var errWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "nothing more has come" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// Read implements net.Conn.
func (t *session) Read(p []byte) (int, error) {
	for len(t.in) == 0 {
		if t.yield == nil {
			return 0, errWouldBlock
		}
		if !t.yield(struct{}{}) {
			return 0, net.ErrClosed
		}
	}
	n := copy(p, t.in)
	t.in = t.in[n:]
	return n, nil
}

// Write implements net.Conn.
func (t *session) Write(p []byte) (int, error) {
	t.out = append(t.out, p...)
	return len(p), nil
}

// Close implements net.Conn, and so do the rest; the loop has the socket.
func (t *session) Close() error                     { return nil }
func (t *session) LocalAddr() net.Addr              { return nil }
func (t *session) RemoteAddr() net.Addr             { return nil }
func (t *session) SetDeadline(time.Time) error      { return nil }
func (t *session) SetReadDeadline(time.Time) error  { return nil }
func (t *session) SetWriteDeadline(time.Time) error { return nil }

// readCA reads the file of --ca.
func readCA(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		err = fmt.Errorf("%s: no certificate in PEM", file)
	}
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	return pem, nil
}

// readPair reads the files of --cert and --key.
func readPair(certFile, keyFile string) (cert, key []byte, err error) {
	if certFile == "" && keyFile == "" {
		return nil, nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, nil, fmt.Errorf("--cert and --key: both or none")
	}
	if cert, err = os.ReadFile(certFile); err != nil {
		return nil, nil, fmt.Errorf("--cert: %w", err)
	}
	if key, err = os.ReadFile(keyFile); err != nil {
		return nil, nil, fmt.Errorf("--key: %w", err)
	}
	if _, err = tls.X509KeyPair(cert, key); err != nil {
		return nil, nil, fmt.Errorf("--cert and --key: %w", err)
	}
	return cert, key, nil
}

// tlsConfig is how a server is spoken to; nil: plainly.
func tlsConfig(to *server, s *share) *tls.Config {
	if !to.Secure {
		return nil
	}
	config := &tls.Config{ServerName: to.Name, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: s.Insecure}
	if len(s.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(s.CA)
	}
	if pair, err := tls.X509KeyPair(s.Cert, s.Key); err == nil { // readPair has found it good, or there is none
		config.Certificates = []tls.Certificate{pair}
	}
	if s.Resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return config
}

// secure begins the handshake of TLS.
func (l *loop) secure(c *conn, to *target) {
	if l.sessions == nil {
		l.sessions, l.plain = make(map[int32]*session), make([]byte, sealAtOnce)
	}
	t := new(session)
	t.conn = tls.Client(t, to.tls)
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.err = t.conn.Handshake()
		t.yield = nil
	})
	l.sessions[c.id] = t
	c.flags |= flagTLS
	c.state = stateSecuring
	t.next()
	l.flush(c, t)
}

// unsecure forgets the TLS of a connection that has ended.
func (l *loop) unsecure(c *conn) {
	t := l.sessions[c.id]
	if t.stop != nil {
		t.stop()
	}
	delete(l.sessions, c.id)
}

// secured goes on with the handshake.
func (l *loop) secured(c *conn) {
	t := l.sessions[c.id]
	for t.yield != nil {
		n, errno := recv(int(c.fd), &l.buf[0], len(l.buf))
		switch {
		case errno == unix.EAGAIN || errno == unix.EINTR:
			l.flush(c, t)
			return
		case errno != 0:
			l.fail(c, &failure{ioKind(errno), "TLS handshake: " + errno.Error()})
			return
		case n == 0:
			l.fail(c, &failure{KindUpgrade, "the connection ended in the TLS handshake"})
			return
		}
		t.in = l.buf[:n]
		t.next()
		l.flush(c, t)
	}
	if t.err != nil {
		l.fail(c, &failure{KindUpgrade, "TLS handshake: " + t.err.Error()})
		return
	}
	rest := t.in
	t.in, t.next, t.stop = nil, nil, nil
	l.describe(t)
	l.now = l.clock()
	to := l.targetOf(c)
	c.state = stateUpgrading
	_, _ = t.conn.Write(appendRequest(nil, to.host, to.path, &l.request, nonce(l.seed, c.id, c.try)))
	l.flush(c, t)
	l.unseal(c, rest) // session tickets may have come with the server's last flight
}

// describe remarks what the encryption is, as often as it is that.
func (l *loop) describe(t *session) {
	s := t.conn.ConnectionState()
	how := "full handshake"
	if s.DidResume {
		how = "resumed"
	}
	l.remarks.say(fmt.Sprintf("%s, %s, %v, %s", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.CurveID, how))
}

// unseal takes what a read brought.
func (l *loop) unseal(c *conn, p []byte) {
	t, try := l.sessions[c.id], c.try
	t.in = p
	for {
		n, err := t.conn.Read(l.plain)
		if n > 0 {
			l.received(c, l.plain[:n])
			if c.fd < 0 || c.try != try { // it ended in there, and may have begun again
				return
			}
		}
		switch {
		case err == nil:
		case err == errWouldBlock:
			l.flush(c, t) // the answer to a KeyUpdate
			return
		case errors.Is(err, io.EOF):
			l.nothing(c, 0, 0)
			return
		default:
			l.broken(c, &failure{KindIO, "TLS: " + err.Error()})
			return
		}
	}
}

// broken ends a connection, open or not, whose encryption has failed.
func (l *loop) broken(c *conn, f *failure) {
	if c.state == stateUpgrading {
		l.fail(c, f)
		return
	}
	l.lose(c, f)
}

// seal is write for a connection of TLS.
func (l *loop) seal(c *conn, to uint64) bool {
	t := l.sessions[c.id]
	for l.flush(c, t) {
		if c.tx >= to {
			return true
		}
		p := l.stream.piece(c.tx, to)
		p = p[:min(len(p), sealAtOnce)]
		t.out, l.sealed = l.sealed[:0:cap(l.sealed)], nil
		if _, err := t.conn.Write(p); err != nil {
			c.flags |= flagBroken // the server has ended it; what it said before is to be read
			return false
		}
		c.tx += uint64(len(p))
	}
	return false
}

// sealSide sends the control frames that wait.
func (l *loop) sealSide(c *conn, side []byte) bool {
	t := l.sessions[c.id]
	if len(side) > 0 {
		if _, err := t.conn.Write(side); err != nil {
			c.flags |= flagBroken
			return false
		}
		l.sides[c.id] = nil // encrypted once; the flag stays until it was sent
	}
	if !l.flush(c, t) {
		return false
	}
	delete(l.sides, c.id)
	c.flags &^= flagSide
	return true
}

// flush sends what was encrypted, and reports whether all was taken.
func (l *loop) flush(c *conn, t *session) bool {
	for t.sent < len(t.out) {
		n, errno := send(int(c.fd), &t.out[t.sent], len(t.out)-t.sent)
		if errno != 0 {
			l.unsent(c, errno)
			return false
		}
		t.sent += n
	}
	if t.out != nil {
		l.sealed, t.out, t.sent = t.out[:0], nil, 0
	}
	return true
}
