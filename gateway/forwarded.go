package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"echogate/poller/websocket"
)

// A ClientHeader is the header in which trusted proxies name the client. It is
// one, and is said: a proxy that writes one of them lets the client's own of the
// others pass.
type ClientHeader string

// The headers.
const (
	HeaderOff          ClientHeader = "off"
	HeaderForwardedFor ClientHeader = "x-forwarded-for"
	HeaderForwarded    ClientHeader = "forwarded"
	HeaderRealIP       ClientHeader = "x-real-ip"
)

// UnmarshalText accepts the name of a header in any case.
func (h *ClientHeader) UnmarshalText(text []byte) error {
	return oneOf(h, bytes.ToLower(text), "names no client", HeaderForwardedFor, HeaderForwarded, HeaderRealIP, HeaderOff)
}

const (
	// maxForwarded is how many header lines are read, and how many proxies are
	// gone back over: no honest chain is longer, and a made up one ends there.
	maxForwarded = 16
)

var (
	errForwarded     = errors.New("malformed header")
	errManyForwarded = fmt.Errorf("more than %d proxies in a row", maxForwarded)
)

// clients finds who a request is from, for poller.Config.Forwarded.
type clients struct {
	header  ClientHeader
	trusted *proxies
}

// of reads a request's header.
func (c clients) of(r *websocket.Request) (client netip.AddrPort, err error) {
	lines, err := c.lines(r)
	if err != nil {
		return client, err
	}
	return c.pick(lines)
}

// pick goes back from the last proxy, which is trusted, to the first address that
// is not: what stands before was written by somebody whom nobody vouches for. If
// all are trusted the first one asks for itself. Who hides is nobody.
func (c clients) pick(lines []string) (client netip.AddrPort, err error) {
	hops := 0
	for _, line := range slices.Backward(lines) {
		nodes, err := c.nodes(line)
		if err != nil {
			return netip.AddrPort{}, err
		}
		for _, n := range slices.Backward(nodes) {
			if hops++; hops > maxForwarded {
				return netip.AddrPort{}, errManyForwarded
			}
			client, err = n.address()
			if err != nil || !client.IsValid() || !c.trusted.has(client.Addr()) {
				return client, err
			}
		}
	}
	return client, nil
}

// lines are the values of the header, in order.
func (c clients) lines(r *websocket.Request) (lines []string, err error) {
	r.Headers(func(name, value []byte) bool {
		if len(name) == len(c.header) && strings.EqualFold(string(name), string(c.header)) {
			lines = append(lines, string(value))
		}
		return len(lines) <= maxForwarded
	})
	if len(lines) > maxForwarded || c.header == HeaderRealIP && len(lines) > 1 {
		return nil, errForwarded
	}
	return lines, nil
}

// nodes takes a line apart.
func (c clients) nodes(line string) ([]node, error) {
	switch c.header {
	case HeaderForwarded:
		return parseForwarded(line)
	case HeaderForwardedFor:
		var nodes []node
		for v := range strings.SplitSeq(line, ",") {
			if v = strings.Trim(v, " \t"); v != "" { // empty elements of a list are ignored (RFC 9110 §5.6.1)
				nodes = append(nodes, node(v))
			}
		}
		return nodes, nil
	}
	return []node{node(line)}, nil
}

// A node is who is named, unquoted: an address, with a port or without, or a
// name that hides it. The empty one is nobody.
type node string

// address reads a node (RFC 7239 §6). X-Forwarded-For has no grammar: IPv6
// addresses come with brackets and without. One that hides is the zero value.
func (n node) address() (netip.AddrPort, error) {
	text := string(n)
	if a, err := netip.ParseAddr(text); err == nil {
		return addrPort(a, "")
	}
	host, port := text, ""
	if end := strings.LastIndexByte(text, ']'); end >= 0 || strings.Count(text, ":") == 1 {
		end = max(end, strings.IndexByte(text, ':')-1)
		host = text[:end+1]
		if rest := text[end+1:]; rest != "" {
			var ok bool
			if port, ok = strings.CutPrefix(rest, ":"); !ok || !isNodePort(port) {
				return netip.AddrPort{}, errForwarded
			}
		}
	}
	if host == "" && port == "" || strings.EqualFold(host, "unknown") || isObfuscated(host) {
		return netip.AddrPort{}, nil
	}
	bare, bracketed := strings.CutPrefix(host, "[")
	bare, closed := strings.CutSuffix(bare, "]")
	a, err := netip.ParseAddr(bare)
	if err != nil || bracketed != closed || bracketed != a.Is6() {
		return netip.AddrPort{}, errForwarded
	}
	return addrPort(a, port)
}

// addrPort is an address with a port; one that hides is 0.
func addrPort(a netip.Addr, port string) (netip.AddrPort, error) {
	if a.Zone() != "" || a.IsUnspecified() { // nobody's, seen from here
		return netip.AddrPort{}, errForwarded
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

// isNodePort reports whether text is a port of RFC 7239 §6: up to five digits,
// or a name that hides it.
func isNodePort(text string) bool {
	if isObfuscated(text) {
		return true
	}
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil && len(text) <= 5
}

// isObfuscated reports whether text is a name that hides who it is (RFC 7239
// §6.3).
func isObfuscated(text string) bool {
	name, ok := strings.CutPrefix(text, "_")
	for _, b := range []byte(name) {
		ok = ok && (isAlphaNumeric(b) || b == '.' || b == '_' || b == '-')
	}
	return ok && name != ""
}

func isAlphaNumeric(b byte) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
}
