package poller

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"echogate/poller/address"
)

// file is a socket file that goes when its listener's server stops; the zero
// value: there is none.
type file struct {
	path     string
	dev, ino uint64
}

// bindUnix makes a listening unix socket. Its file has its mode before anybody
// can connect: a socket that does not listen yet refuses.
func bindUnix(a address.Address) (*listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	made, err := bindFile(fd, a)
	if err == nil {
		err = unix.Listen(fd, backlogSize)
	}
	if err != nil {
		made.remove()
		_ = unix.Close(fd)
		return nil, err
	}
	ln, err := adoptListener(fd)
	if err != nil {
		made.remove()
		_ = unix.Close(fd)
		return nil, err
	}
	ln.made = made
	return ln, nil
}

// ListenUnix makes a unix socket that listens, as those of Config.Listen do, for
// another server of the same process. made: it has a file, which is there for the
// caller to remove.
func ListenUnix(a address.Address) (fd int, made bool, err error) {
	ln, err := bindUnix(a)
	if err != nil {
		return -1, false, err
	}
	return ln.fd, ln.made.path != "", nil
}

// bindFile binds a socket to its path, where a dead one may be in the way.
func bindFile(fd int, a address.Address) (made file, err error) {
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: a.Unix})
	if err == unix.EADDRINUSE && a.Unix[0] != '@' {
		if err = removeDead(a.Unix); err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: a.Unix})
		}
	}
	if err != nil || a.Unix[0] == '@' { // an abstract name goes with its socket
		return made, err
	}
	if made, err = fileAt(a.Unix); err == nil && a.HasMode {
		err = unix.Chmod(a.Unix, uint32(a.Mode))
	}
	return made, err
}

// removeDead removes the file at path if it is a socket on which nobody listens.
// Nothing else is ever removed.
func removeDead(path string) error {
	found, err := fileAt(path)
	if err != nil {
		return err
	}
	if found.path == "" {
		return errors.New("there is a file that is no socket")
	}
	switch err := knock(path); err {
	case unix.ECONNREFUSED:
		if now, err := fileAt(path); err != nil || now != found {
			return unix.EADDRINUSE // somebody else has just begun to listen
		}
		return unix.Unlink(path)
	case nil, unix.EAGAIN: // it listens, or so many wait that it takes no more
		return unix.EADDRINUSE
	default:
		return fmt.Errorf("whether somebody listens there is not to be found out: %w", err)
	}
}

// knock connects to a unix socket, and goes away.
func knock(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

// fileAt is the socket file at path; the zero value: it is something else.
func fileAt(path string) (f file, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return f, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return f, nil
	}
	return file{path, uint64(st.Dev), st.Ino}, nil
}

// remove removes the file, unless something else has its place by now.
func (f *file) remove() {
	if f.path == "" {
		return
	}
	if now, err := fileAt(f.path); err == nil && now == *f {
		_ = unix.Unlink(f.path)
	}
	*f = file{}
}

// unlink removes what a listener has made.
func (s *Server) unlink(ln *listener) {
	s.mu.Lock() // Made looks at it
	defer s.mu.Unlock()
	ln.made.remove()
}

// isUnix reports whether the listener's peers have no address.
func (ln *listener) isUnix() bool {
	_, ok := ln.addr.(*net.UnixAddr)
	return ok
}
