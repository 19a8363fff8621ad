package address

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is one place to listen on.
type Address struct {
	// TCP is the address and port; its Addr is the zero value for all addresses
	// of both families. The zero value: it is a unix socket.
	TCP netip.AddrPort
	// Unix is the path of a unix socket, or "@" and the name of an abstract one.
	Unix string
	// Options say what is special about it.
	Options
}

// Options are what follows the question mark. The zero value is what an address
// without any has.
type Options struct {
	Proxy bool        // every connection begins with a PROXY protocol header
	Plain bool        // it is plain even where there is a certificate
	Mode  fs.FileMode // of a unix socket's file, if HasMode; else the umask's
	// HasMode tells a mode of 0 from none.
	HasMode bool
}

// MaxPath is the longest path of a unix socket: the kernel has room for 108
// bytes with the zero at the end (unix(7)), or in front for an abstract name.
const MaxPath = 107

// Accepted are the forms of an address, for messages.
const Accepted = "host:port, :port, [::1]:port, unix:/path and unix:@name"

// Parse reads an address.
func Parse(text string) (a Address, err error) {
	place, query, asked := strings.Cut(text, "?")
	if path, ok := strings.CutPrefix(place, "unix:"); ok {
		a.Unix, err = path, checkPath(path)
	} else {
		a.TCP, err = parseTCP(place)
	}
	if err == nil && asked {
		err = a.options(query)
	}
	return a, err
}

// Same reports whether two addresses are one place, whatever their options.
func (a Address) Same(b Address) bool { return a.TCP == b.TCP && a.Unix == b.Unix }

// Free reports whether the kernel chooses the port: as many as one likes may ask
// for that.
func (a Address) Free() bool { return a.Unix == "" && a.TCP.Port() == 0 }

// checkPath judges the path of a unix socket.
func checkPath(path string) error {
	switch {
	case path == "" || path == "@":
		return errors.New("no path of a unix socket: accepted are unix:/path and unix:@name")
	case len(path) > MaxPath:
		return fmt.Errorf("path of %d bytes: a unix socket's has at most %d", len(path), MaxPath)
	case strings.IndexByte(path, 0) >= 0:
		return errors.New("zero byte in the path of a unix socket")
	}
	return nil
}

// parseTCP reads "host:port", "[host]:port" or ":port", which is dual-stack
// where the machine has IPv6.
func parseTCP(text string) (addr netip.AddrPort, err error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return addr, errors.New("want host:port: accepted are " + Accepted)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return addr, errors.New("port must be a number from 0 to 65535")
	}
	switch host {
	case "":
		return netip.AddrPortFrom(netip.Addr{}, uint16(number)), nil
	case "localhost":
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return addr, errors.New("host must be an IP address, localhost or empty")
	}
	if ip.Zone() != "" && Zone(ip) == 0 {
		return addr, fmt.Errorf("no interface %q", ip.Zone())
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}

// Zone is the index of the interface that an address of one link is on; 0: none.
func Zone(a netip.Addr) uint32 {
	if n, err := strconv.ParseUint(a.Zone(), 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(a.Zone()); err == nil {
		return uint32(i.Index)
	}
	return 0
}
