package poller

import (
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// buffers sets the kernel's memory for the listener's connections: the receive
// buffer bounds the window that is offered from the first packet on, so it must
// be set here. Theirs are inherited with TCP; a unix socket's are its own, and
// what it sends with is set for each (sized).
func (ln *listener) buffers(size int, log *slog.Logger) error {
	if size == 0 || ln.isUnix() {
		return nil
	}
	for _, option := range []struct {
		name   string
		number int
	}{{"SO_RCVBUF", unix.SO_RCVBUF}, {"SO_SNDBUF", unix.SO_SNDBUF}} {
		if err := unix.SetsockoptInt(ln.fd, unix.SOL_SOCKET, option.number, size); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		// The kernel doubles it, for what it keeps beside the bytes, and cuts it
		// without a word (socket(7)).
		got, err := unix.GetsockoptInt(ln.fd, unix.SOL_SOCKET, option.number)
		if err != nil {
			return os.NewSyscallError("getsockopt", err)
		}
		if got < 2*size {
			log.Warn("the kernel gives less than the socket buffer asked for: net.core.rmem_max and wmem_max bound it",
				"addr", ln.addr, "option", option.name, "asked", size, "given", got/2)
		}
	}
	return nil
}

// sized sets the memory for what is sent to a peer on a unix socket. What the
// peer sends is bounded by the peer's own.
func (l *loop) sized(fd int, from *listener) {
	if size := l.srv.conf().SocketBuffer; size > 0 && from.isUnix() {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size)
	}
}
