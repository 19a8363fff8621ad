package poller

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Sockets duplicates the listening sockets, in the order of Addrs, for a process
// that is to serve them. They are the caller's to close.
func (s *Server) Sockets() ([]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fds := make([]int, 0, len(s.listeners))
	for _, ln := range s.listeners {
		fd, err := -1, errors.New("poller: it has stopped listening")
		if ln.fd >= 0 {
			fd, err = unix.FcntlInt(uintptr(ln.fd), unix.F_DUPFD_CLOEXEC, 0)
			err = os.NewSyscallError("fcntl", err)
		}
		if err != nil {
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// Made tells which of Sockets, in their order, are unix sockets whose file is
// there and the server's to remove: from now on that of the process that gets
// them (Config.Made).
func (s *Server) Made() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := make([]bool, len(s.listeners))
	for i, ln := range s.listeners {
		now, err := fileAt(ln.made.path)
		made[i] = err == nil && ln.made.path != "" && now == ln.made
	}
	return made
}

// Yield leaves the listening sockets to another process that has them: what
// waits in their backlog is its to accept. Connections stay until Run's context
// ends.
func (s *Server) Yield() { s.each(func(l *loop) { l.leaveListeners() }) }
