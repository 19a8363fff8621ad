package poller

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// This file is the handshake of TLS as the loop sees it: its steps run on a
// bounded pool, so that a signature keeps no loop.

// errHandshakeBytes ends a handshake that does not end.
var errHandshakeBytes = errors.New("poller: a TLS handshake of more than 64 KiB")

// beginTLS takes what came behind a PROXY protocol header in the same read.
func (l *loop) beginTLS(fd int, s *slot, b *busy, in []byte, more bool) {
	t := b.tls
	t.in, t.got = in, len(in)
	l.retain(t)
	if len(t.raw) == 0 {
		l.goOn(fd, s, more)
		return
	}
	l.shake(fd, s, b, more)
}

// shake goes on with a handshake, if a whole record is there. more says that the
// socket may hold more.
func (l *loop) shake(fd int, s *slot, b *busy, more bool) {
	t := b.tls
	switch {
	case t.conn == nil && t.raw[0] != recordHandshake:
		l.notTLS(fd, s, b)
	case t.got > handshakeBytes:
		l.rejectTLS(fd, s, errHandshakeBytes)
	case record(t.raw) == 0:
		l.goOn(fd, s, more)
	case t.conn == nil && l.srv.steps.crowded():
		l.stats.Refused[RefusedTLSBusy]++
		l.cut(fd, s, websocket.ErrHTTPDone)
	default:
		if t.conn == nil {
			t.begin(l.srv.conf().TLS, net.TCPAddrFromAddrPort(l.conn.Remote()))
			t.raw = l.quarter(t.raw)
		}
		b.pending = b.pending || more
		l.step(t, websocket.NewHandle(l, int32(fd), s.generation()))
	}
}

// recordHandshake is the type of a record of a handshake (RFC 8446 §5.1), which
// is what a client begins with.
const recordHandshake = 0x16

// step has the pool run the next step of a handshake and tell the loop of it.
func (l *loop) step(t *session, to websocket.Handle) {
	t.running, t.in = true, bytes.Clone(t.raw) // the pool's memory may end with the loop, before the step does
	l.Free(t.raw)
	t.raw = nil
	l.interest.handed = true
	_ = l.srv.steps.start(func() { // never refused: the pool ends with its work (Server.finish)
		t.step()
		if l.mail.post(l, letter{kind: letterStepped, to: to, session: t}) != nil {
			t.abandon()
		}
		// A worker that goes on with the next step would keep its core for as long as
		// the scheduler lets it, and loops wait for that.
		runtime.Gosched()
	})
}

// stepped takes what a step has led to.
func (l *loop) stepped(t *session, to websocket.Handle) {
	fd := int(to.FD)
	s := l.table.at(fd)
	t.running = false
	if !s.is(l) || s.generation() != to.Gen {
		t.abandon()
		return
	}
	b := l.busyOf(s)
	if b.fin != finNone || b.until != 0 { // it ends
		return
	}
	l.bind(fd, s)
	l.retain(t)
	switch {
	case t.err != nil:
		l.rejectTLS(fd, s, t.err)
	case t.done:
		t.complete()
		l.pump(fd, s, b)
	default:
		l.sayOn(fd, s, b)
	}
}

// quarter cuts a hello in four records, as its sender might have done (RFC 8446
// §5.1): crypto/tls keeps for life what it has read the longest record into, and
// what it has put its parts together in, which doubles from the first part on. Of
// the hello of a browser, the longest record of many an idle connection, four of
// its quarters leave half as much as the whole would.
func (l *loop) quarter(p []byte) []byte {
	n := record(p) - recordHeader
	if n < quarteredLeast || n > quarteredMost || n != int(p[3])<<8+int(p[4]) {
		return p
	}
	out := l.Alloc(len(p) + 3*recordHeader)
	for part := range slices.Chunk(p[recordHeader:recordHeader+n], (n+3)/4) {
		out = append(out, p[0], p[1], p[2], byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	out = append(out, p[recordHeader+n:]...)
	l.Free(p)
	return out
}

// A hello that is shorter fits into what is held in any case; one that is longer
// nobody sends in earnest.
const (
	quarteredLeast = 512
	quarteredMost  = 4 << 10
)

// sayOn sends what a step has to say and waits for the answer.
func (l *loop) sayOn(fd int, s *slot, b *busy) {
	var t turn
	l.seal(fd, s, b, &t)
	if t.errno != 0 && t.errno != unix.EAGAIN && t.errno != unix.EINTR {
		l.finish(fd, s, websocket.ErrReset)
		return
	}
	l.goOn(fd, s, b.pending)
}

// pump takes what came behind the handshake, in the same read: no event will.
func (l *loop) pump(fd int, s *slot, b *busy) {
	b.tls.in = l.sealing.in[:copy(l.sealing.in, b.tls.raw)]
	l.unseal(fd, s, b, b.pending)
}

// rejectTLS ends a connection whose handshake has failed, with the alert that
// crypto/tls has made of it.
func (l *loop) rejectTLS(fd int, s *slot, err error) {
	l.stats.Rejected[websocket.RejectTLS]++
	l.failTLS(fd, s, err)
}

// notTLS ends a connection that does not begin as TLS does: one of plain HTTP is
// told so in its own words.
func (l *loop) notTLS(fd int, s *slot, b *busy) {
	l.dropTLS(b)
	l.call(fd, s, func(c *websocket.Conn) error { return c.Deny(errPlain) })
}

// dropTLS makes a plain connection of one that has not begun its handshake.
func (l *loop) dropTLS(b *busy) {
	if b.tls != nil {
		l.forgetTLS(b.tls)
		b.tls = nil
	}
}

// errPlain is the answer to plain HTTP where TLS is spoken.
var errPlain = &websocket.Refusal{Status: 400, Text: "this port speaks TLS: use https:// or wss://", Label: websocket.RejectTLS}
