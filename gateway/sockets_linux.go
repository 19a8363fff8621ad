package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"echogate/gateway/admin"
)

// The names that LISTEN_FDNAMES has for sockets of ours. What has another one,
// as the name of its unit, is public.
const (
	publicName = "public"
	madeName   = "public-made" // a unix socket whose file is ours to remove
	adminName  = "admin"
)

// handed are the listening sockets that this process was started with.
type handed struct{ public, made, admin []int }

// inherited are the listening sockets handed on by systemd or by the process
// before this one (sd_listen_fds(3)): LISTEN_FDS of them from descriptor 3 on,
// and LISTEN_FDNAMES tells which of them are the admin port's. LISTEN_PID is
// compared only when it is set: who hands on to a program it is about to become
// cannot know it.
func inherited(env func(string) (string, bool), pid int) (handed, error) {
	var h handed
	text, ok := env("LISTEN_FDS")
	if !ok {
		return h, nil
	}
	if owner, ok := env("LISTEN_PID"); ok && owner != strconv.Itoa(pid) {
		return h, nil // meant for another process
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1024 {
		return h, fmt.Errorf("LISTEN_FDS: %q is no number of sockets", text)
	}
	names := make([]string, n)
	if text, ok := env("LISTEN_FDNAMES"); ok && n > 0 {
		if names = strings.Split(text, ":"); len(names) != n {
			return h, fmt.Errorf("LISTEN_FDNAMES: %d names for %d sockets", len(names), n)
		}
	}
	for i, name := range names {
		if name == adminName {
			h.admin = append(h.admin, 3+i)
			continue
		}
		if name == madeName {
			h.made = append(h.made, 3+i)
		}
		h.public = append(h.public, 3+i)
	}
	return h, nil
}

// adminOptions are the admin port's.
func (c *Config) adminOptions() admin.Options {
	return admin.Options{Open: c.AdminOpen, ReadyConnections: c.ReadyConnections}
}

// adminListeners are the sockets of the admin port. One that was handed on takes
// the place of --admin if it has that address, or if that was not given; others
// are closed.
func (c *Config) adminListeners(fds []int, log *slog.Logger) ([]net.Listener, error) {
	_, given := c.origins["admin"]
	var all []net.Listener
	for _, fd := range fds {
		ln, err := adopt(fd)
		if err != nil {
			return nil, fmt.Errorf("LISTEN_FDS: descriptor %d: %w", fd, err)
		}
		if given && !sameAddress(ln.Addr(), c.Admin) {
			log.Warn("inherited socket is not the admin port: closed", "addr", ln.Addr())
			ln.Close()
			continue
		}
		all = append(all, ln)
	}
	if len(all) > 0 || c.Admin == adminOff {
		return all, nil
	}
	ln, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return nil, c.wrong("admin", "%w; accepted is another address, or off", err)
	}
	return []net.Listener{ln}, nil
}

// adopt makes a listener of an inherited descriptor, which it closes: the
// listener has a duplicate that no child gets.
func adopt(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), adminName)
	if f == nil {
		return nil, errors.New("no descriptor")
	}
	defer f.Close()
	return net.FileListener(f)
}

// sameAddress reports whether a socket listens on a configured address. A port
// of 0 is the kernel's choice: it has made it, and a take-over keeps it.
func sameAddress(have net.Addr, text string) bool {
	want, err := adminAddress(text)
	tcp, ok := have.(*net.TCPAddr)
	if err != nil || !ok || tcp.Port != int(want.TCP.Port()) && !want.Free() {
		return false
	}
	if everywhere(want) {
		return tcp.IP.IsUnspecified()
	}
	return tcp.AddrPort().Addr().Unmap() == want.TCP.Addr()
}
