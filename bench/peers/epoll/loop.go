package main

import (
	"log"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// readSize is what one read takes at the most.
	readSize = 512 << 10
	// acceptBatch bounds the connections taken for one event of the listener.
	acceptBatch = 64
)

// loop is one epoll instance and what belongs to it. All but its descriptor is
// touched by its own goroutine alone.
type loop struct {
	ep       int
	listener int     // −1 for a loop that does not accept
	deal     []*loop // who the accepted connections go to, in turn
	next     int
	conns    []*conn // by descriptor
	buf      []byte  // maxHeader bytes of room, then what was read
}

func newLoop() (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &loop{ep: ep, listener: -1, buf: make([]byte, maxHeader+readSize)}, err
}

// accept makes the loop accept connections for all loops.
func (l *loop) accept(listener int, loops []*loop) error {
	l.listener, l.deal = listener, loops
	return l.watch(unix.EPOLL_CTL_ADD, listener, unix.EPOLLIN)
}

func (l *loop) watch(op, fd int, events uint32) error {
	return unix.EpollCtl(l.ep, op, fd, &unix.EpollEvent{Fd: int32(fd), Events: events})
}

func (l *loop) run() {
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, 1024)
	for {
		n, err := unix.EpollWait(l.ep, events, -1)
		if err != nil && err != unix.EINTR {
			log.Fatal(err)
		}
		for i := range max(n, 0) {
			fd := int(events[i].Fd)
			if fd == l.listener {
				l.take()
				continue
			}
			if !l.event(fd) {
				l.conns[fd] = nil
				_ = unix.Close(fd)
			}
		}
	}
}

func (l *loop) take() {
	for range acceptBatch {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		to := l.deal[l.next%len(l.deal)]
		l.next++
		if err := to.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
			_ = unix.Close(fd)
		}
	}
}

// event reads once and writes once, or goes on writing. It reports whether the
// connection lives on.
func (l *loop) event(fd int) bool {
	c := l.conn(fd)
	if len(c.unsent) > 0 {
		return l.flush(fd, c)
	}
	n, errno := call(unix.SYS_READ, fd, l.buf[maxHeader:])
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return true
	}
	if errno != 0 || n == 0 {
		return false
	}
	out, err := c.receive(l.buf, maxHeader, maxHeader+n)
	return l.send(fd, c, out) && err == nil
}

// conn is the connection's place, made at its first event.
func (l *loop) conn(fd int) *conn {
	if fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, fd+1-len(l.conns)+len(l.conns)/4)...)
	}
	if l.conns[fd] == nil {
		l.conns[fd] = new(conn)
	}
	return l.conns[fd]
}

// send writes out and keeps what the socket does not take; until that is gone
// the connection is not read.
func (l *loop) send(fd int, c *conn, out []byte) bool {
	if len(out) > 0 {
		n, errno := call(unix.SYS_WRITE, fd, out)
		if errno != 0 && errno != unix.EAGAIN {
			return false
		}
		if n < len(out) {
			c.unsent = append(c.unsent, out[n:]...)
			return l.watch(unix.EPOLL_CTL_MOD, fd, unix.EPOLLOUT) == nil
		}
	}
	return !c.done()
}

func (l *loop) flush(fd int, c *conn) bool {
	n, errno := call(unix.SYS_WRITE, fd, c.unsent)
	if errno != 0 {
		return errno == unix.EAGAIN
	}
	if c.unsent = c.unsent[n:]; len(c.unsent) > 0 {
		return true
	}
	c.unsent = nil
	return !c.done() && l.watch(unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN) == nil
}

// call is read(2) or write(2) past the scheduler: on a socket that does not
// block there is nothing that it would have to know.
func call(nr uintptr, fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
