package poller

import (
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"

	"echogate/poller/websocket"
)

// This file is who a connection is really from: what a proxy says before the
// first request (the PROXY protocol), and what it says in each (X-Forwarded-For
// and its like).

var (
	errUntrusted   = errors.New("poller: this peer may not name another")
	errLongPreface = errors.New("poller: PROXY protocol header over the limit of a head")
)

// readPreface is a turn of a connection whose PROXY protocol header has not
// ended. What stands behind it in the same read is the request.
func (l *loop) readPreface(fd int, s *slot, b *busy, sure bool) {
	kept := l.unkeep(b)
	room := l.buf[:kept+readHead]
	n, errno := recv(fd, &room[kept], readHead)
	if errno != 0 || n <= 0 {
		l.keep(fd, s, room[:kept])
		l.nothing(fd, s, n, errno)
		return
	}
	l.heard(s)
	p := l.identityOf(fd, s)
	if p == nil { // it had been reset before it was accepted, as health checks do
		l.finish(fd, s, websocket.ErrReset)
		return
	}
	in, more := room[:kept+n], !sure || n == readHead
	used, client, err := l.preface(p, in)
	switch {
	case err != nil:
		b.preface = false
		l.dropTLS(b) // who does not know of the header can read a plain answer
		l.srv.note(logProxy, slog.LevelWarn, "no good PROXY protocol header", "addr", l.conn.Remote(), "err", text(err))
		l.call(fd, s, (*websocket.Conn).RefusePreface)
	case used == 0:
		l.keep(fd, s, in)
		l.goOn(fd, s, more)
	default:
		b.preface = false
		l.introduce(s, p, client)
		if b.tls != nil {
			l.beginTLS(fd, s, b, in[used:], more)
			return
		}
		l.receive(fd, s, in[used:], nil, more)
	}
}

// preface has Config.Preface look at what came. A panic in it costs the
// connection alone.
func (l *loop) preface(p *identity, in []byte) (n int, client netip.AddrPort, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &websocket.PanicError{Value: v, Stack: debug.Stack()}
			l.report("", err)
		}
	}()
	if !p.trusted {
		return 0, client, errUntrusted
	}
	c := l.srv.conf()
	n, client, err = c.Preface(in)
	if n < 0 || n > len(in) {
		panic("poller: Config.Preface returned a length that is not of its input")
	}
	if err == nil && (n > c.MaxHead || n == 0 && len(in) >= c.MaxHead) {
		err = errLongPreface
	}
	return n, client, err
}

// introduce takes the client that a preface has named. One that named none was
// sent for the proxy itself, or for somebody whose address it does not know: in
// neither case are the headers of what follows the proxy's.
func (l *loop) introduce(s *slot, p *identity, client netip.AddrPort) {
	p.trusted = client.IsValid() && l.srv.conf().trusts(client.Addr())
	if client.IsValid() {
		l.name(s, p, client, !p.trusted)
	}
}

// inspect sees every good request before it is answered: a trusted peer may name
// its client in a header. One connection of a proxy may carry requests of many
// clients, one after the other: who is not named any more has not come.
func (l *loop) inspect(c *websocket.Conn, r *websocket.Request) {
	forwarded := l.srv.conf().Forwarded
	if forwarded == nil {
		return
	}
	fd, s := l.of(c)
	p := l.identityOf(fd, s)
	if p == nil || !p.trusted {
		return
	}
	client, err := forwarded(r)
	if err != nil {
		l.stats.ForwardedIgnored++
		l.srv.note(logProxy, slog.LevelDebug, "forwarding header ignored", "addr", remote(fd), "err", text(err))
	}
	switch {
	case err == nil && client.IsValid():
		l.name(s, p, client, true)
		p.named = true
	case p.named:
		l.name(s, p, remote(fd), false)
		p.named = false
	}
}

// name makes addr the address of a connection, and counts it among those of that
// address unless it is a proxy's: there are many clients behind one.
func (l *loop) name(s *slot, p *identity, addr netip.AddrPort, count bool) {
	l.srv.addresses.leave(p)
	p.addr, p.port = addr.Addr().As16(), addr.Port()
	most := l.srv.conf().MaxPerAddress
	if most == 0 || !count {
		return
	}
	if l.srv.addresses.enter(p, most) != admitted {
		l.stats.Refused[RefusedPerAddress]++
		s.ws.RefuseAddress()
	}
}

// trusts reports whether a peer may name others.
func (c *Config) trusts(peer netip.Addr) bool { return c.Trusted != nil && c.Trusted(peer) }
