package poller

import (
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sockets are non-blocking, so these calls return at once and need no
// scheduler hand-over: RawSyscall. An ordinary call costs 15–35 % more of the
// server's time here (bench/results has the record), which is what this file
// is allowed unsafe for. p is never empty.
//
// A test that is built with the tag inject has faults happen in them; without the
// tag injecting is a constant, and nothing of that is compiled.

// recv reads at most n bytes that the socket has to p; 0 at the end of the
// stream. It and send take an address and a length because that lets them be
// inlined: the stack is flat where the kernel is entered.
func recv(fd int, p *byte, n int) (int, syscall.Errno) {
	if injecting {
		if errno := inject(callRecv, fd, &n); errno != 0 {
			return -1, errno
		}
	}
	r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(n), 0, 0, 0)
	return int(r), e
}

// send writes what the socket takes of the n bytes at p.
func send(fd int, p *byte, n int) (int, syscall.Errno) {
	if injecting {
		if errno := inject(callSend, fd, &n); errno != 0 {
			return -1, errno
		}
	}
	r, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(n), unix.MSG_NOSIGNAL, 0, 0)
	return int(r), e
}

// vector is the arguments of a call that reads or writes two slices, kept by
// the loop so that none is made for the call.
type vector struct {
	iov [2]unix.Iovec
	msg unix.Msghdr
}

func (v *vector) set(p, q []byte) int {
	v.iov[0].Base = &p[0]
	v.iov[0].SetLen(len(p))
	if len(q) == 0 {
		return 1
	}
	v.iov[1].Base = &q[0]
	v.iov[1].SetLen(len(q))
	return 2
}

// readv reads into p and, when p is full, into q.
func (v *vector) readv(fd int, p, q []byte) (n int, errno syscall.Errno) {
	if injecting {
		if p, q, errno = injectTwo(callRecv, fd, p, q); errno != 0 {
			return -1, errno
		}
	}
	k := v.set(p, q)
	r, _, e := syscall.RawSyscall(unix.SYS_READV, uintptr(fd), uintptr(unsafe.Pointer(&v.iov[0])), uintptr(k))
	v.iov = [2]unix.Iovec{}
	return int(r), e
}

// sendmsg writes p and then q with one call.
func (v *vector) sendmsg(fd int, p, q []byte) (n int, errno syscall.Errno) {
	if injecting {
		if p, q, errno = injectTwo(callSend, fd, p, q); errno != 0 {
			return -1, errno
		}
	}
	v.msg.Iov = &v.iov[0]
	v.msg.SetIovlen(v.set(p, q))
	r, _, e := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.msg)), unix.MSG_NOSIGNAL)
	v.iov = [2]unix.Iovec{}
	return int(r), e
}

// accept takes one finished connection, non-blocking and closed on exec.
func accept(fd int) (nfd int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(r), e
}

// epollAdd puts fd in the interest list of the epoll instance ep. The events of
// one say its number.
func epollAdd(ep, fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(ep), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	if e != 0 {
		return os.NewSyscallError("epoll_ctl", e)
	}
	return nil
}

// epollWait waits for events for at most some ms, and returns how many there
// are. It keeps the processor while it sleeps. A signal ends it: 0.
func epollWait(ep int, events *[eventBatch]unix.EpollEvent, ms int) int {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(events)), eventBatch, uintptr(ms), 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// reset makes the close that follows send RST and drop what is unsent.
func reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// unacked is how many bytes the peer's kernel has not acknowledged yet.
func unacked(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// remote is the peer's address, a v4-mapped one as IPv4; zero when the kernel
// no longer knows it.
func remote(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

// local is the address that the peer connected to.
func local(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 { // an address of one link
			ip = ip.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}
