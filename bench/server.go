package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// parseURL takes a URL apart: where it connects to, and what it asks for there.
func parseURL(text string) (host string, port uint16, target string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", 0, "", err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "", 0, "", fmt.Errorf("%q: accepted are ws://host:port/path and wss://host:port/path", text)
	}
	n := uint64(80)
	if u.Scheme == "wss" {
		n = 443
	}
	if u.Port() != "" {
		if n, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return "", 0, "", fmt.Errorf("%q: the port is a number up to 65535", text)
		}
	}
	return u.Hostname(), uint16(n), u.RequestURI(), nil
}

// lookUp finds the address of a URL's host.
func lookUp(ctx context.Context, text string) (server, error) {
	host, port, target, err := parseURL(text)
	if err != nil {
		return server{}, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return server{}, fmt.Errorf("%s: %w", text, err)
	}
	u, _ := url.Parse(text) // parseURL has
	return server{URL: text, Address: netip.AddrPortFrom(addrs[0].Unmap(), port), Host: u.Host, Target: target, Secure: u.Scheme == "wss", Name: host}, nil
}

// lookUpAll finds the addresses of all URLs, and checks that the sources can
// connect to them.
func lookUpAll(ctx context.Context, urls []string, sources Sources) ([]server, error) {
	var servers []server
	for _, u := range urls {
		s, err := lookUp(ctx, u)
		if err != nil {
			return nil, err
		}
		for _, source := range sources {
			if source.Is4() != s.Address.Addr().Is4() {
				return nil, fmt.Errorf("--source: %v cannot connect to %v", source, s.Address)
			}
		}
		servers = append(servers, s)
	}
	return servers, nil
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
