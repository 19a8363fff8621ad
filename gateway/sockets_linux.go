package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"echogate/gateway/admin"
	"echogate/poller"
)

// The names that LISTEN_FDNAMES has for sockets of ours. What has another one,
// as the name of its unit, is public.
const (
	publicName = "public"
	madeName   = "public-made" // a unix socket whose file is ours to remove
	adminName  = "admin"
	adminMade  = "admin-made"
)

// handed are the listening sockets that this process was started with. Of the
// public and the admin port's some may have a file that is ours to remove.
type handed struct{ public, made, admin, adminMade []int }

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
		switch name {
		case adminMade:
			h.adminMade = append(h.adminMade, 3+i)
			fallthrough
		case adminName:
			h.admin = append(h.admin, 3+i)
		case madeName:
			h.made = append(h.made, 3+i)
			fallthrough
		default:
			h.public = append(h.public, 3+i)
		}
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
func (c *Config) adminListeners(from handed, log *slog.Logger) ([]net.Listener, error) {
	_, given := c.origins["admin"]
	var all []net.Listener
	for _, fd := range from.admin {
		ln, err := adopt(fd)
		if err != nil {
			return nil, fmt.Errorf("LISTEN_FDS: descriptor %d: %w", fd, err)
		}
		if given && !sameAddress(ln.Addr(), c.Admin) {
			log.Warn("inherited socket is not the admin port: closed", "addr", ln.Addr())
			ln.Close()
			continue
		}
		if slices.Contains(from.adminMade, fd) {
			ln = removing(ln)
		}
		all = append(all, ln)
	}
	if len(all) > 0 || c.Admin == adminOff {
		return all, nil
	}
	ln, err := listenAdmin(c.Admin)
	if err != nil {
		return nil, c.wrong("admin", "%w; accepted is another address, or off", err)
	}
	return []net.Listener{ln}, nil
}

// listenAdmin opens the socket of an address that has been checked.
func listenAdmin(text string) (net.Listener, error) {
	a, err := adminAddress(text)
	if err != nil || a.Unix == "" {
		return net.Listen("tcp", text)
	}
	fd, made, err := poller.ListenUnix(a)
	if err != nil {
		return nil, err
	}
	ln, err := adopt(fd)
	if err != nil || !made {
		return ln, err
	}
	return removing(ln), nil
}

// madeListener is a unix socket whose file goes when it is closed.
type madeListener struct{ *net.UnixListener }

// removing is a listener that removes its file, if it has one.
func removing(ln net.Listener) net.Listener {
	u, ok := ln.(*net.UnixListener)
	if !ok {
		return ln
	}
	u.SetUnlinkOnClose(true)
	return madeListener{u}
}

// adminNames tell the process that takes over which sockets are the admin port's,
// and which files it is to remove.
func adminNames(all []net.Listener) []string {
	names := make([]string, len(all))
	for i, ln := range all {
		names[i] = adminName
		if _, ok := ln.(madeListener); ok {
			names[i] = adminMade
		}
	}
	return names
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
	if err != nil {
		return false
	}
	if u, ok := have.(*net.UnixAddr); ok {
		return want.Unix != "" && u.Name == want.Unix
	}
	tcp, ok := have.(*net.TCPAddr)
	if !ok || want.Unix != "" || tcp.Port != int(want.TCP.Port()) && !want.Free() {
		return false
	}
	if everywhere(want) {
		return tcp.IP.IsUnspecified()
	}
	return tcp.AddrPort().Addr().Unmap() == want.TCP.Addr()
}
