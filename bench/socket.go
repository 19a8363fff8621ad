package main

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sockets are non-blocking, so recv and send return at once and need no
// scheduler hand-over: RawSyscall. With ordinary calls the client would cost a
// quarter more of the core that it shares with nobody, which is what this file
// is allowed unsafe for. p is never empty.

// recv reads at most n bytes that the socket has to p; 0 at the end of the
// stream.
func recv(fd int, p *byte, n int) (int, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(n), 0, 0, 0)
	return int(r), e
}

// send writes what the socket takes of the n bytes at p.
func send(fd int, p *byte, n int) (int, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(n), unix.MSG_NOSIGNAL, 0, 0)
	return int(r), e
}

// sockaddr is addr as the kernel's calls want it, and its family.
func sockaddr(addr netip.AddrPort) (unix.Sockaddr, int) {
	if addr.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}, unix.AF_INET
	}
	zone, _ := zoneID(addr.Addr().Zone()) // lookUp has found it
	return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: zone}, unix.AF_INET6
}

// zoneID is the number of the interface that a link-local address is of.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

// connect begins a connection to a server: whether it succeeds shows when the
// socket is writable. from, unless nil, is the address that it comes from.
// buffer, unless 0, is the size of the socket's receive buffer.
func connect(to unix.Sockaddr, family int, from unix.Sockaddr, buffer int) (fd int, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if family != unix.AF_UNIX {
		// Nagle's algorithm would hold messages back until earlier ones are
		// acknowledged, and measure that.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil && buffer > 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	if err == nil && from != nil {
		err = bindAddress(fd, from)
	}
	if err == nil {
		if err = unix.Connect(fd, to); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bindAddress leaves the port to connect, which knows the server: the same port
// can serve once for each server and address, and is not used up by bind.
func bindAddress(fd int, from unix.Sockaddr) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, from)
}

// socketError is why a socket failed; 0: it did not.
func socketError(fd int) syscall.Errno {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return unix.EBADF
	}
	return syscall.Errno(n)
}

// cut closes a socket with a reset: it leaves no TIME_WAIT behind, which would
// keep the port from the next run.
func cut(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}

// closeSocket closes a socket with a FIN.
func closeSocket(fd int) { _ = unix.Close(fd) }

// connectKind is the kind of error that errno of a connect is.
func connectKind(err error) Kind {
	switch err {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EADDRNOTAVAIL, unix.EAGAIN:
		return KindResource // EAGAIN: no free port, or a unix socket whose queue is full, see connect(2)
	case unix.ETIMEDOUT:
		return KindConnectTimeout
	}
	return KindConnect
}

// ioKind is the kind of error that errno of a recv or send is.
func ioKind(errno syscall.Errno) Kind {
	switch errno {
	case unix.ECONNRESET, unix.EPIPE:
		return KindReset
	}
	return KindIO
}
