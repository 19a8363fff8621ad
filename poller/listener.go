package poller

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller/address"
	"echogate/poller/websocket"
)

const (
	acceptBatch = 64 // connections accepted in one wake-up, at most
	backlogSize = 4096
	pauseFirst  = 10 * time.Millisecond // after a failed accept; doubles
	pauseMost   = time.Second
)

// listener is one listening socket. Its loop accepts, and hands the
// connections round the loops.
type listener struct {
	// Immutable.
	address.Options // what is special about its connections; any loop may look
	addr            net.Addr

	// Owned by its loop; the first two are guarded by the server's lock, too.
	fd      int
	made    file          // of a unix socket, to be removed when the server stops
	paused  uint32        // tick at which it comes back to the poller; 0: it is there
	pause   time.Duration // the next pause for want of descriptors
	starved bool          // that is why it is paused
}

// listen opens the socket of text, an address.
func listen(text string) (*listener, error) {
	a, err := address.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("poller: listen address %q: %w", text, err)
	}
	ln, err := openSocket(a)
	if err != nil {
		return nil, fmt.Errorf("poller: listen on %q: %w", text, err)
	}
	ln.Options = a.Options
	return ln, nil
}

// openSocket opens a listening socket at a.
func openSocket(a address.Address) (*listener, error) {
	if a.Unix != "" {
		return bindUnix(a)
	}
	if a.TCP.Addr().IsValid() {
		return bind(a.TCP, false)
	}
	ln, err := bind(netip.AddrPortFrom(netip.IPv6Unspecified(), a.TCP.Port()), true)
	if err == unix.EAFNOSUPPORT || err == unix.EADDRNOTAVAIL { // no IPv6 here
		return bind(netip.AddrPortFrom(netip.IPv4Unspecified(), a.TCP.Port()), false)
	}
	return ln, err
}

// bind makes a listening socket. Socket options are set on it and inherited by
// what it accepts: no call for each connection.
func bind(addr netip.AddrPort, dual bool) (*listener, error) {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: address.Zone(addr.Addr())})
	if addr.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, map[bool]int{false: 1}[dual])
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, backlogSize)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return adoptListener(fd)
}

// adoptListener takes a listening socket that is there already: made here, or
// inherited from systemd or from the process before this one.
func adoptListener(fd int) (*listener, error) {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || on == 0 {
		return nil, fmt.Errorf("poller: descriptor %d is no listening socket", fd)
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return nil, fmt.Errorf("poller: descriptor %d listens for no streams", fd)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	ln := &listener{fd: fd, addr: netAddr(sa), pause: pauseFirst}
	if ln.addr == nil {
		return nil, fmt.Errorf("poller: descriptor %d listens on no TCP address and no unix socket", fd)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if ln.isUnix() {
		return ln, nil
	}
	// Nagle's algorithm would hold back replies that are ready.
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return ln, os.NewSyscallError("setsockopt", err)
}

// netAddr is the address of a listening socket; nil when it is of no family that
// is served.
func netAddr(sa unix.Sockaddr) net.Addr {
	if a, ok := sa.(*unix.SockaddrUnix); ok {
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	if a := addrPort(sa); a.IsValid() {
		return net.TCPAddrFromAddrPort(a)
	}
	return nil
}

// userTimeout bounds how long the kernel waits for a peer's acknowledgement. It
// also kills a zero-window peer that answers every probe, so it must exceed
// what bounds that: d is the longer of stall and idle time. An inherited socket
// may be of Multipath TCP, which does not know the option: the loop's own
// deadlines cover the same. 0 leaves it to the kernel.
func (ln *listener) userTimeout(d time.Duration) error {
	if ln.isUnix() {
		return nil // its peers cannot vanish from the net
	}
	ms := 0
	if d > 0 {
		ms = int((d + 30*time.Second).Milliseconds())
	}
	err := unix.SetsockoptInt(ln.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
	if err == unix.ENOPROTOOPT {
		return nil
	}
	return os.NewSyscallError("setsockopt", err)
}

// serve gives the listener to the loop, which accepts from now on. Level
// triggered: what one wake-up leaves over brings the next.
func (l *loop) serve(ln *listener) error {
	l.listeners = append(l.listeners, ln)
	return l.watch(ln.fd, unix.EPOLLIN)
}

// accept takes a bounded number of connections.
func (l *loop) accept(ln *listener) {
	for range acceptBatch {
		if !l.mayAccept(ln) {
			return
		}
		fd, errno := l.srv.accept(ln.fd)
		if errno == 0 {
			ln.pause = pauseFirst
			l.stats.Accepted++
			l.place(fd, ln)
			continue
		}
		l.notAccepted()
		if errno != unix.EAGAIN {
			l.acceptFailed(ln, errno)
		}
		if !passing(errno) {
			return
		}
	}
}

// passing reports whether an error of accept is that of the one connection: the
// next one may be good (accept(2), "Error handling").
func passing(errno syscall.Errno) bool {
	switch errno {
	case unix.ECONNABORTED, unix.EINTR, unix.EPROTO, unix.EPERM, unix.ENETDOWN, unix.ENOPROTOOPT,
		unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH, unix.ETIMEDOUT:
		return true
	}
	return false
}

// acceptFailed counts the error. Where descriptors or memory have run out the
// listener leaves the poller for a while, and connections wait in its backlog;
// an error that will not pass ends the server.
func (l *loop) acceptFailed(ln *listener, errno syscall.Errno) {
	l.stats.Refused[RefusedAccept]++
	switch errno {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		l.starve(ln, errno)
	default:
		if !passing(errno) {
			l.srv.fail(fmt.Errorf("poller: accept on %s: %w", ln.addr, errno))
		}
	}
}

// starve pauses a listener for want of descriptors or memory, each time for longer.
func (l *loop) starve(ln *listener, err error) {
	l.pauseAccept(ln, ln.pause)
	ln.pause = min(2*ln.pause, pauseMost)
	ln.starved = true
	l.srv.starved.Add(1)
	l.srv.note(logAccept, slog.LevelWarn, "accepting paused", "addr", ln.addr, "err", err)
}

// pauseAccept takes a listener out of the poller for a while.
func (l *loop) pauseAccept(ln *listener, d time.Duration) {
	l.unwatch(ln.fd)
	l.arm()
	ln.paused = l.after(d)
}

func (l *loop) acceptPaused() bool {
	for _, ln := range l.listeners {
		if ln.paused != 0 {
			return true
		}
	}
	return false
}

// resumeAccept brings back listeners whose pause is over, or for which a
// descriptor was freed.
func (l *loop) resumeAccept() {
	for _, ln := range l.listeners {
		if ln.paused == 0 || before(l.tick, ln.paused) && !(ln.starved && l.srv.relief.Load()) {
			continue
		}
		ln.paused = 0
		if ln.starved {
			ln.starved = false
			l.srv.starved.Add(-1)
			l.srv.relief.Store(false)
		}
		if err := l.watch(ln.fd, unix.EPOLLIN); err != nil {
			l.starve(ln, err)
		}
	}
}

// adopt begins a connection on this loop, which from has accepted.
func (l *loop) adopt(fd int, verdict admission, from *listener) {
	s := l.table.at(fd)
	l.arm()
	s.take(l.tag, l.tick)
	l.rowOf(s)[StateHandshake]++
	if l.srv.conf().TLS != nil && !from.Plain {
		l.secure(fd, s)
	}
	l.await(fd, s)
	switch verdict {
	case refusedFull:
		s.ws.Refuse()
	case refusedAddress:
		s.ws.RefuseAddress()
	}
	l.sized(fd, from)
	if from.Proxy {
		l.work(fd, s).preface = true
	}
	if err := l.watch(fd, readWrite); err != nil {
		l.stats.Refused[RefusedAccept]++
		l.finish(fd, s, websocket.ErrReset)
		return
	}
	if l.cutting {
		l.cut(fd, s, websocket.ErrGoingAway)
		return
	}
	l.schedule(fd, s)
}

// stopListening takes what the kernel has accepted already, then closes the
// listeners.
func (l *loop) stopListening() {
	for _, ln := range l.listeners {
		l.srv.unlink(ln) // who connects from now on would not be served
		for range backlogSize / acceptBatch {
			before := l.stats.Accepted
			if ln.starved {
				break
			}
			if l.accept(ln); l.stats.Accepted == before {
				break
			}
		}
	}
	l.leaveListeners()
}

// leaveListeners closes the listeners. They leave the poller first: while
// another process holds the same socket epoll would go on to report a dead
// number.
func (l *loop) leaveListeners() {
	for _, ln := range l.listeners {
		if ln.paused == 0 {
			l.unwatch(ln.fd)
		}
		l.srv.mu.Lock() // Sockets reads the number
		_ = unix.Close(ln.fd)
		ln.fd = -1
		l.srv.mu.Unlock()
		if ln.starved {
			l.srv.starved.Add(-1)
		}
		l.srv.serving.Add(-1)
	}
	l.listeners = nil
}

// sameAddress reports whether the listener stands for a configured address.
func sameAddress(ln *listener, want address.Address) bool {
	if ln.isUnix() {
		return ln.addr.String() == want.Unix
	}
	tcp, ok := ln.addr.(*net.TCPAddr)
	return ok && want.Unix == "" && tcp.Port == int(want.TCP.Port()) && sameHost(tcp, want.TCP.Addr())
}

// couldBe reports whether the listener can stand for an address whose port is
// the kernel's choice: it has chosen already.
func couldBe(ln *listener, want address.Address) bool {
	tcp, ok := ln.addr.(*net.TCPAddr)
	return ok && want.Free() && sameHost(tcp, want.TCP.Addr())
}

// sameHost reports whether a socket is that of a configured host, of which the
// zero value is all of them.
func sameHost(tcp *net.TCPAddr, want netip.Addr) bool {
	if !want.IsValid() {
		return tcp.IP.IsUnspecified()
	}
	have := tcp.AddrPort().Addr().Unmap()
	return have.WithZone("") == want.WithZone("") && address.Zone(have) == address.Zone(want)
}
