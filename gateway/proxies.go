package main

import (
	"net/netip"
	"slices"

	"echogate/poller/address"
)

// trustUnix is how --trusted-proxies calls the peers on unix sockets, which have
// no address: who may connect there is said by the file's mode.
const trustUnix = "unix"

// proxies are the peers that may say in whose name they speak.
type proxies struct {
	networks []netip.Prefix
	unix     bool
}

// parseProxies reads the values of --trusted-proxies.
func (c *Config) parseProxies() (*proxies, error) {
	p := new(proxies)
	for _, text := range c.TrustedProxies {
		if text == trustUnix {
			p.unix = true
			continue
		}
		n, err := netip.ParsePrefix(text)
		if a, single := netip.ParseAddr(text); single == nil && a.Zone() == "" {
			n, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, c.wrong("trusted-proxies", "%q is no network: accepted are 10.0.0.0/8, 2001:db8::/32, single addresses and unix", text)
		}
		if n.Addr().Is4In6() {
			return nil, c.wrong("trusted-proxies", "%q is IPv4 written as IPv6: accepted is %s without ::ffff:", text, n.Addr().Unmap())
		}
		p.networks = append(p.networks, n)
	}
	return p, nil
}

// has reports whether a peer is trusted; the zero Addr is one on a unix socket.
func (p *proxies) has(peer netip.Addr) bool {
	if !peer.IsValid() {
		return p.unix
	}
	peer = peer.Unmap().WithZone("")
	return slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(peer) })
}

// checkProxies finds listeners on which nobody could be served.
func (c *Config) checkProxies() error {
	p, err := c.parseProxies()
	if err != nil {
		return err
	}
	for _, text := range c.Listen {
		a, err := address.Parse(text)
		switch {
		case err != nil || !a.Proxy:
		case a.Unix != "" && !p.unix:
			return c.wrong("listen", "%q: nobody is trusted to connect there: accepted is that with --trusted-proxies unix", text)
		case a.Unix == "" && len(p.networks) == 0:
			return c.wrong("listen", "%q: nobody is trusted to connect there: accepted is that with --trusted-proxies NETWORK", text)
		}
	}
	return nil
}
