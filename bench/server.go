package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// parseURL takes a URL apart: what there is to know of the server before its
// name has been looked up, and its port.
func parseURL(text string) (s server, port uint16, err error) {
	s.URL = text
	if scheme, rest, ok := strings.Cut(text, "+unix:"); ok {
		s.Secure = scheme == "wss"
		return s, 0, s.parseUnix(scheme, rest)
	}
	u, err := url.Parse(text)
	if err != nil {
		return server{}, 0, err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return server{}, 0, badURL(text)
	}
	s.Secure, s.Name, s.Host, s.Target = u.Scheme == "wss", u.Hostname(), u.Host, u.RequestURI()
	if name, zone, ok := strings.Cut(s.Name, "%"); ok { // RFC 6874 §4: the zone stays here
		s.Host = strings.Replace(s.Host, "%"+zone, "", 1)
		s.Name = name
	}
	n := uint64(80)
	if s.Secure {
		n = 443
	}
	if u.Port() != "" {
		if n, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return server{}, 0, fmt.Errorf("%q: the port is a number up to 65535", text)
		}
	}
	return s, uint16(n), nil
}

// parseUnix reads what stands behind ws+unix: or wss+unix:, a file and a path.
func (s *server) parseUnix(scheme, rest string) error {
	file, target, _ := strings.Cut(rest, ":")
	if target == "" {
		target = "/"
	}
	u, err := url.ParseRequestURI(target)
	if scheme != "ws" && scheme != "wss" || file == "" || err != nil || u.Host != "" {
		return badURL(s.URL)
	}
	if len(file) > maxSocketName {
		return fmt.Errorf("%q: the file of a unix socket has at most %d bytes", s.URL, maxSocketName)
	}
	s.Socket, s.Name, s.Host, s.Target = file, "localhost", "localhost", u.RequestURI()
	return nil
}

// maxSocketName is what the kernel has room for.
const maxSocketName = 107

func badURL(text string) error {
	return fmt.Errorf("%q: accepted are ws://host:port/path, wss://host:port/path and ws+unix:/file:/path", text)
}

// lookUp finds the address of a URL's host, of several one that the sources can
// connect to. Without sources one of IPv4 goes first: what is called localhost
// often listens there alone.
func lookUp(ctx context.Context, text string, sources Sources) (server, error) {
	s, port, err := parseURL(text)
	if err != nil || s.Socket != "" {
		return s, err
	}
	u, _ := url.Parse(text) // parseURL has
	addr, err := resolve(ctx, u.Hostname(), len(sources) == 0 || sources[0].Is4())
	if err != nil {
		return server{}, fmt.Errorf("%s: %w", text, err)
	}
	s.Address = netip.AddrPortFrom(addr, port)
	return s, nil
}

// resolve finds an address of host, one of the family that is preferred if there
// is one.
func resolve(ctx context.Context, host string, prefer4 bool) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil { // the resolver would drop its zone
		_, err = zoneID(addr.Zone())
		return addr.Unmap(), err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(addrs) == 0 {
		return netip.Addr{}, errors.New("no address")
	}
	return preferred(addrs, prefer4), nil
}

// preferred is the first of the family, or the first of all.
func preferred(addrs []netip.Addr, prefer4 bool) netip.Addr {
	i := slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Unmap().Is4() == prefer4 })
	return addrs[max(i, 0)].Unmap()
}

// lookUpAll finds the addresses of all URLs, and checks that the sources can
// connect to them.
func lookUpAll(ctx context.Context, urls []string, sources Sources) ([]server, error) {
	var servers []server
	for _, u := range urls {
		s, err := lookUp(ctx, u, sources)
		if err != nil {
			return nil, err
		}
		_, address := s.dialled()
		for _, source := range sources {
			if s.Socket != "" || source.Is4() != s.Address.Addr().Is4() {
				return nil, fmt.Errorf("--source: %v cannot connect to %v", source, address)
			}
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// dialled is where to connect to, as package net wants it.
func (s *server) dialled() (network, address string) {
	if s.Socket != "" {
		return "unix", s.Socket
	}
	return "tcp", s.Address.String()
}

// sockaddr is the same as the kernel's calls want it, and its family.
func (s *server) sockaddr() (unix.Sockaddr, int) {
	if s.Socket != "" {
		return &unix.SockaddrUnix{Name: s.Socket}, unix.AF_UNIX
	}
	return sockaddr(s.Address)
}

// portsUsed is how many ports of one source address are used for one server.
// There are 28,000 by default, but the kernel looks for free ones among the odd
// and the even separately, and slows down when one half is used up.
const portsUsed = 10_000

// loopbackSources are source addresses for connections over IPv4 loopback, all
// of whose addresses are there without anybody having set them up. It is nil
// elsewhere, and where one address is enough.
func loopbackSources(connections int, servers []server) Sources {
	need := connections / len(servers) / portsUsed
	if need == 0 {
		return nil
	}
	for _, s := range servers {
		if !s.Address.Addr().Is4() || !s.Address.Addr().IsLoopback() {
			return nil
		}
	}
	sources := Sources{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	for range min(need, maxSources-1) {
		sources = append(sources, sources[len(sources)-1].Next())
	}
	return sources
}
