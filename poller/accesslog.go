package poller

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// accessLog writes one line for each connection that ends. Lines are made by a
// goroutine of their own, so that a log that is slow to take them holds up no
// loop: what it has no room for is counted instead.
type accessLog struct {
	log   *slog.Logger
	lines chan access
	lost  atomic.Uint64
}

// accessQueue is how many lines may wait for the log.
const accessQueue = 4096

func newAccessLog(log *slog.Logger) *accessLog {
	return &accessLog{log: log, lines: make(chan access, accessQueue)}
}

// access is the life of one connection.
type access struct {
	route          string         // empty: it did not upgrade
	addr           netip.AddrPort // zero: the peer is on a unix socket
	cause          websocket.Cause
	sent, received ws.StatusCode // 0: no close frame; 1005: one without a code
	duration       time.Duration
	messages       uint32 // from the peer
	in, out        uint64 // bytes of TCP's payload, if counted
	counted        bool
	notes          [][2]string
}

// LogValue implements slog.LogValuer.
func (a access) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("route", a.route), slog.String("addr", addrText(a.addr)), slog.String("cause", a.cause.String()),
		slog.Int("close_sent", int(a.sent)), slog.Int("close_received", int(a.received)),
		slog.Duration("duration", a.duration), slog.Uint64("messages", uint64(a.messages)),
	}
	if a.counted {
		attrs = append(attrs, slog.Uint64("bytes_in", a.in), slog.Uint64("bytes_out", a.out))
	}
	for _, n := range a.notes {
		attrs = append(attrs, slog.String(n[0], n[1]))
	}
	return slog.GroupValue(attrs...)
}

// addrText is an address in the log. Who was named by a proxy may have no port,
// and who is on a unix socket has neither.
func addrText(a netip.AddrPort) string {
	switch {
	case !a.IsValid():
		return "unix"
	case a.Port() == 0:
		return a.Addr().String()
	}
	return a.String()
}

// put queues a line. Loops do not wait for it.
func (l *accessLog) put(a access) {
	select {
	case l.lines <- a:
	default:
		l.lost.Add(1)
	}
}

// write writes lines until there will be no more.
func (l *accessLog) write() {
	for a := range l.lines {
		l.log.LogAttrs(context.Background(), slog.LevelInfo, "connection ended", a.LogValue().Group()...)
	}
}

// framesEnded notes the close codes that are known when the frames of a
// connection end: all but that of a peer that answers our close frame.
func (l *loop) framesEnded(c *websocket.Conn, e websocket.CloseError) {
	fd, s := l.of(c)
	p := l.identityOf(fd, s)
	switch {
	case p == nil:
	case e.Peer:
		p.received = codeOf(e)
		if s.ws.Ended() { // else a handler has taken it, and nothing was sent
			p.sent = p.received
		}
	case e.Code != ws.StatusAbnormalClosure:
		p.sent = codeOf(e)
	}
}

// codeOf is the code of a close frame; one without any has 1005 by definition
// (RFC 6455 §7.1.5).
func codeOf(e websocket.CloseError) ws.StatusCode {
	if e.Code == 0 {
		return ws.StatusNoStatusRcvd
	}
	return e.Code
}

// logAccess logs a connection whose protocol has ended because of cause: what a
// tells already, and what else is known.
func (l *loop) logAccess(fd int, s *slot, p *identity, a access, cause websocket.CloseError) {
	if cause.Peer {
		p.received = codeOf(cause)
	}
	a.addr, a.sent, a.received = p.remote(), p.sent, p.received
	a.duration, a.messages, a.notes = since(p.came, l.tick), s.ws.Messages, l.conn.Noted()
	a.in, a.out, a.counted = transferred(fd)
	l.srv.access.put(a)
}

// transferred asks the kernel how many bytes came, and how many left: it counts
// them anyway. It also counts the peer's FIN as one, which is taken off while the
// socket's state tells that it has come: not once both sides have ended. Of a
// unix socket it counts nothing.
func transferred(fd int) (in, out uint64, ok bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0, false
	}
	in = info.Bytes_received
	if info.State == unix.BPF_TCP_CLOSE_WAIT && in > 0 {
		in--
	}
	return in, info.Bytes_sent - info.Bytes_retrans, true
}
