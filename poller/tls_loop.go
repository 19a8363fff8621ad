package poller

import (
	"context"
	"io"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// This file is the loop and TLS. A connection of TLS keeps its working state,
// with its session, for life: what is read goes through readTLS, what is sent
// through seal, and a plain connection meets none of it.

const (
	// stepsPerCore is how many steps of handshakes run at once for each core,
	// stepQueue how many wait for that: above, newcomers are closed (limits.md T2).
	stepsPerCore = 2
	stepQueue    = 1024
	// readSealed is what one read of a connection of TLS takes.
	readSealed = 128 << 10
	// sealAtOnce is how many bytes are encrypted before they are sent: they are
	// still in the cache then, and what holds them is bounded.
	sealAtOnce = 64 << 10
	// sealedMost is the longest buffer for that which the loop keeps.
	sealedMost = 128 << 10
)

// sealing is what a loop needs for TLS; nothing until the first of it comes.
type sealing struct {
	in  []byte // what a read takes
	out []byte // memory for what is encrypted; a session borrows it for a turn
}

// secure makes the connection one of TLS.
func (l *loop) secure(fd int, s *slot) {
	if l.sealing.in == nil {
		l.sealing.in = make([]byte, recordHeader+recordMost+readSealed)
	}
	l.work(fd, s).tls = new(session)
}

// readTLS is read for a connection of TLS.
func (l *loop) readTLS(fd int, s *slot, b *busy, sure bool) {
	t := b.tls
	if t.running {
		b.pending = true // the step's end reads
		return
	}
	l.bind(fd, s)
	if t.end != nil {
		l.endTLS(fd, s, b)
		return
	}
	kept := copy(l.sealing.in, t.raw)
	room := l.sealing.in[kept:][:min(readSealed, l.limit(s, b, 0))]
	n, errno := recv(fd, &room[0], len(room))
	if errno != 0 || n <= 0 {
		l.nothingTLS(fd, s, b, n, errno)
		return
	}
	l.heard(s)
	t.in = l.sealing.in[:kept+n]
	more := !sure || n == len(room)
	if !t.open {
		t.got += n
		l.retain(t)
		l.shake(fd, s, b, more)
		return
	}
	l.unseal(fd, s, b, more)
}

// nothingTLS is a read that brought no bytes.
func (l *loop) nothingTLS(fd int, s *slot, b *busy, n int, errno syscall.Errno) {
	if n == 0 && errno == 0 {
		b.tls.end = io.EOF
		l.endTLS(fd, s, b)
		return
	}
	l.nothing(fd, s, n, errno)
}

// retain keeps the input that was not taken until more of it has come.
func (l *loop) retain(t *session) {
	var raw []byte
	if len(t.in) > 0 {
		raw = append(l.Alloc(len(t.in)), t.in...)
	}
	l.Free(t.raw)
	t.raw, t.in = raw, nil
}

// unseal decrypts what has come, behind what was kept of what came before.
func (l *loop) unseal(fd int, s *slot, b *busy, more bool) {
	t := b.tls
	l.lend(t)
	at := len(b.in)
	n, err := t.decrypt(l.buf[at:])
	l.unsealed(fd, s, b, l.buf[at:at+n], err, more)
}

// unsealed gives what was decrypted to the connection. What ends the stream waits
// for the next turn: what came before it is taken first.
func (l *loop) unsealed(fd int, s *slot, b *busy, p []byte, err error, more bool) {
	t := b.tls
	l.retain(t)
	t.end = err
	if len(p) == 0 {
		end := turn{up: s.ws.Upgraded(), more: more || err != nil}
		l.transmit(fd, s, &end) // the answer to a KeyUpdate, or an alert
		l.settle(fd, s, end)
		return
	}
	before := s.ws.Messages
	l.receive(fd, s, l.buf[:l.unkeep(b)+len(p)], nil, more || err != nil)
	if s.is(l) && s.busy != 0 { // else its slot may be another loop's by now
		b = l.busyOf(s)
		b.tiny = b.tiny || s.ws.Messages-before > turnMessages
	}
}

// endTLS ends a connection whose stream has ended: in order, or because what came
// was not TLS, or not of this session. The peer has been told of that.
func (l *loop) endTLS(fd int, s *slot, b *busy) {
	if b.tls.end != io.EOF {
		l.failTLS(fd, s, b.tls.end)
		return
	}
	if len(b.out) == 0 {
		l.sayClosed(fd, s, b)
	}
	l.endOfStream(fd, s)
}

// failTLS ends a connection whose encryption has failed.
func (l *loop) failTLS(fd int, s *slot, err error) {
	if l.srv.log.Enabled(context.Background(), slog.LevelDebug) {
		l.srv.note(logTLS, slog.LevelDebug, "TLS failed", "err", text(err), "addr", l.conn.Remote())
	}
	l.call(fd, s, func(*websocket.Conn) error { return websocket.ErrTLS })
}

// lend gives a session memory to write to.
func (l *loop) lend(t *session) {
	if t.out == nil {
		t.out, l.sealing.out = l.sealing.out[:0:cap(l.sealing.out)], nil
	}
}

// seal encrypts what the turn has to send and sends it, with what the session
// itself has to say before. What the socket does not take is the backlog.
func (l *loop) seal(fd int, s *slot, b *busy, t *turn) {
	x := b.tls
	for _, p := range [...][]byte{t.head, t.out} {
		for len(p) > 0 {
			l.lend(x)
			n := min(len(p), sealAtOnce)
			if _, err := x.conn.Write(p[:n]); err != nil {
				t.errno = unix.EPIPE // it has said its last
				break
			}
			if p = p[n:]; len(x.out) >= sealAtOnce {
				l.push(fd, s, b, t)
			}
		}
	}
	t.head, t.out = nil, nil
	l.push(fd, s, b, t)
}

// push sends what a session has to send.
func (l *loop) push(fd int, s *slot, b *busy, t *turn) {
	out := b.tls.out
	if out == nil {
		return
	}
	b.tls.out = nil
	if cap(out) <= sealedMost {
		l.sealing.out = out[:0]
	}
	n := 0
	if len(out) == 0 || t.errno != 0 && t.errno != unix.EAGAIN && t.errno != unix.EINTR {
		return
	}
	if len(b.out) == 0 {
		if n, t.errno = send(fd, &out[0], len(out)); t.errno != 0 {
			n = 0
		}
	}
	if n < len(out) {
		l.backlog(fd, s, nil, out[n:])
	}
}

// behind reports whether output waits behind a backlog.
func (l *loop) behind(s *slot) bool {
	b := l.busyOf(s)
	return b != nil && len(b.out) > 0
}

// sayClosed ends our half in the way of TLS, before TCP's own end: a peer that
// gets no close_notify cannot tell the end from an attacker's. The socket has
// room for it; if it has not, the peer does not read, and will not know.
func (l *loop) sayClosed(fd int, s *slot, b *busy) {
	t := b.tls
	if t == nil || !t.open || t.end != nil && t.end != io.EOF {
		return
	}
	l.lend(t)
	if t.conn.CloseWrite() == nil && len(t.out) > 0 { // it is said once
		_, _ = send(fd, &t.out[0], len(t.out))
	}
	l.sealing.out, t.out = t.out[:0], nil
}

// forgetTLS ends the session of a connection that ends.
func (l *loop) forgetTLS(t *session) {
	if t.running {
		t.gone.Store(true)
		return
	}
	t.abandon()
	l.Free(t.raw)
	t.raw = nil
}
