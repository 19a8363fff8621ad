package poller

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Sockets duplicates the listening sockets, in the order of Addrs, for another
// process to serve. The descriptors are the caller's to close.
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

// Made reports which of Sockets, in the same order, are unix sockets whose file
// this server would remove when it stops. That is then for the process that gets
// them to do (Config.Made).
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

// Yield closes the listening sockets and leaves what waits in their backlog to
// another process that has them too. Connections stay until Run's context ends.
func (s *Server) Yield() { s.each(func(l *loop) { l.leaveListeners() }) }
