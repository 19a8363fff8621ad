package poller

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"sync/atomic"
	"time"

	"echogate/poller/websocket"
)

// This file is TLS on bytes: crypto/tls, which knows blocking connections alone,
// made to stop and go on. It rests on two things that tls_test.go pins. After the
// handshake a read whose transport fails with an error that is both a timeout and
// temporary can be made again. The handshake, which cannot, runs in a coroutine
// that is suspended inside its reads.

const (
	recordHeader = 5
	// recordMost is more than any record's payload (RFC 5246 §6.2.3; TLS 1.3
	// allows less): a header that announces more is refused as it stands.
	recordMost = 1<<14 + 2048
	// handshakeBytes is what a client may send until its handshake is complete.
	// A chain of certificates is the long part of it.
	handshakeBytes = 64 << 10
)

// record is the length of the record at the front of p; 0: it is not whole. One
// that no TLS can have is as long as what is there, for crypto/tls to refuse.
func record(p []byte) int {
	if len(p) < recordHeader {
		return 0
	}
	n := recordHeader + int(p[3])<<8 + int(p[4])
	if p[1] != 3 || n > recordHeader+recordMost { // the major version of SSL 3.0 and all TLS
		return len(p)
	}
	if len(p) < n {
		return 0
	}
	return n
}

// errWouldBlock is how a transport says "not now": crypto/tls does not remember
// an error that is temporary.
var errWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "poller: no whole TLS record is there" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// errAbandoned ends the handshake of a connection that has ended.
var errAbandoned = errors.New("poller: the connection has ended")

// pipe is the transport under a tls.Conn: what came is in, what is to leave is
// appended to out. It hands over whole records alone and never more than one, so
// that crypto/tls keeps nothing of what is not whole, and no buffer that is
// longer than its longest record.
type pipe struct {
	in    []byte
	rest  int // bytes of the record that is being read
	out   []byte
	yield func(struct{}) bool // suspends the handshake; nil: there is none
	peer  net.Addr
}

// Read implements net.Conn.
func (p *pipe) Read(b []byte) (int, error) {
	for p.rest == 0 {
		if p.rest = record(p.in); p.rest > 0 {
			break
		}
		if p.yield == nil {
			return 0, errWouldBlock
		}
		if !p.yield(struct{}{}) {
			return 0, errAbandoned
		}
	}
	n := copy(b, p.in[:p.rest])
	p.in, p.rest = p.in[n:], p.rest-n
	return n, nil
}

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (int, error) {
	p.out = append(p.out, b...)
	return len(b), nil
}

// Close implements net.Conn; the descriptor is the loop's to close.
func (p *pipe) Close() error { return nil }

// LocalAddr implements net.Conn; it is not known here.
func (p *pipe) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn, for what a tls.Config calls.
func (p *pipe) RemoteAddr() net.Addr { return p.peer }

// SetDeadline implements net.Conn: nothing waits.
func (p *pipe) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (p *pipe) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// session is the TLS of one connection. It belongs to the loop, but while a step
// of the handshake runs on the pool.
type session struct {
	pipe
	conn *tls.Conn // nil: not one whole record has come
	raw  []byte    // input that crypto/tls has not taken, of the loop's pool
	got  int       // bytes of the handshake that have come
	open bool      // the handshake is complete
	end  error     // why nothing more can be read; kept until what came before it was taken

	// Of the handshake.
	running bool // a step is on the pool, which has all but this and gone
	next    func() (struct{}, bool)
	stop    func()
	done    bool
	err     error
	gone    atomic.Bool // the connection has ended meanwhile
}

// begin makes the coroutine of the handshake. It runs in step.
func (t *session) begin(config *tls.Config, peer net.Addr) {
	t.peer = peer
	t.conn = tls.Server(&t.pipe, config)
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.err = t.conn.Handshake()
		t.done = true
	})
}

// step runs the handshake until it needs more input, or is over. What a
// function of the configuration panics with is its error.
func (t *session) step() {
	defer func() {
		if v := recover(); v != nil {
			t.done, t.err = true, fmt.Errorf("poller: panic in a TLS handshake: %v", v)
		}
	}()
	if t.gone.Load() {
		t.stop()
		return
	}
	t.next()
}

// complete forgets what only the handshake needed.
func (t *session) complete() {
	t.open, t.next, t.stop, t.yield, t.peer = true, nil, nil, nil, nil
}

// abandon ends a handshake that is not over, and with it its coroutine.
func (t *session) abandon() {
	if t.stop != nil {
		t.stop()
		t.next, t.stop = nil, nil
	}
}

// decrypt takes the whole records of in and returns the length of what was in
// them; dst has room for it, being longer than they are. The error is io.EOF when
// the peer has ended its half in order. crypto/tls is not asked for more than
// there is: to find nothing costs it as much as a short record.
func (t *session) decrypt(dst []byte) (n int, err error) {
	for record(t.in) > 0 {
		k, err := t.conn.Read(dst[n:])
		n += k
		switch {
		case err == errWouldBlock: // the last ones were not of the application
			return n, nil
		case err != nil:
			return n, err
		case n == len(dst): // it has kept the rest
			return n, io.ErrShortBuffer
		}
	}
	return n, nil
}

// checkTLS reports what a handshake would find out: there is no certificate.
func checkTLS(c *tls.Config) error {
	if c == nil || len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil {
		return nil
	}
	return errors.New("poller: TLS: no certificate")
}

// facts is what the handshake has led to.
func (t *session) facts() websocket.TLS {
	state := t.conn.ConnectionState()
	facts := websocket.TLS{
		Version:    tls.VersionName(state.Version),
		Cipher:     tls.CipherSuiteName(state.CipherSuite),
		ServerName: state.ServerName,
		Protocol:   state.NegotiatedProtocol,
		Resumed:    state.DidResume,
	}
	if state.CurveID != 0 {
		facts.Curve = state.CurveID.String()
	}
	if len(state.PeerCertificates) > 0 {
		facts.Peer = string(state.PeerCertificates[0].Raw)
	}
	return facts
}
