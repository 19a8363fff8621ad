package poller

import "golang.org/x/sys/unix"

// This file is the walk of a frame over TLS, for the great majority of events: one
// read and one write, and nothing that is unfinished. As in event, each Go frame
// above a system call costs.

// walks reports whether nothing but the session keeps the working state: the
// handshake is over, no record is torn, and nothing waits to be taken or sent.
func (b *busy) walks(s *slot) bool {
	t := b.tls
	return t.open && t.end == nil && t.raw == nil && b.progress == 0 && !b.tiny &&
		b.rests() && s.ws.Upgraded() && !s.ws.Held() && !s.ws.Long()
}

// walkTLS is a turn of a connection that walks. What comes up that is not of the
// walk goes the way that readTLS leads to.
func (l *loop) walkTLS(fd int, s *slot, b *busy) {
	n, errno := recv(fd, &l.sealing.in[0], readSealed)
	if errno != 0 || n <= 0 {
		l.nothingTLS(fd, s, b, n, errno)
		return
	}
	l.heard(s)
	l.bind(fd, s)
	t := b.tls
	if t.in = l.sealing.in[:n]; n == readSealed {
		l.unseal(fd, s, b, true)
		return
	}
	l.lend(t)
	n, err := t.decrypt(l.buf)
	if n == 0 || err != nil || len(t.in) > 0 {
		l.unsealed(fd, s, b, l.buf[:n], err, false)
		return
	}
	t.in = nil
	used, out, err := l.conn.Receive(l.buf[:n])
	if used < n || err != nil || len(out) > sealAtOnce || l.conn.Stopped() || !b.rests() || !s.ws.Open() {
		l.walked(fd, s, turn{rest: l.buf[used:n], out: out, err: err, up: true, whole: l.conn.Stopped()})
		return
	}
	end := turn{up: true}
	if len(out) > 0 {
		l.lend(t) // a handler may have had it flushed
		if _, err := t.conn.Write(out); err != nil {
			end.errno = unix.EPIPE // it has said its last
		}
	}
	l.push(fd, s, b, &end)
	if end.errno != 0 || b.out != nil {
		l.settle(fd, s, end)
		return
	}
	l.conn.Sent()
}

// walked goes on as receive does when Receive has led to more than a reply.
func (l *loop) walked(fd int, s *slot, t turn) {
	again := t.err == nil && t.whole && !s.ws.Held()
	l.transmit(fd, s, &t)
	if !again || t.errno != 0 || l.behind(s) {
		l.settle(fd, s, t)
		return
	}
	l.conn.Sent()
	l.receive(fd, s, t.rest, nil, false)
}
