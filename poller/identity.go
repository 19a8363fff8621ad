package poller

import (
	"net/netip"
	"sync/atomic"

	"github.com/gobwas/ws"
)

// identity is whom a connection is from. It is kept beside the slot, and only when
// the configuration has a use for it. The address is asked for at accept: once the
// peer has reset the connection the kernel no longer knows it.
type identity struct {
	gen     uint32 // generation of the connection
	port    uint16
	counted bool // among those of its address
	refused bool // it is there to be refused: its address has too many
	trusted bool // the peer may say in whose name it speaks
	named   bool // by a header of the request under way
	addr    [16]byte

	// For the access log.
	came           uint32        // tick
	sent, received ws.StatusCode // of close frames
}

// identities are by descriptor, as the slots are. A chunk is made when its first
// entry is needed.
type identities []atomic.Pointer[[chunkSize]identity]

// at returns the entry of a descriptor, nil if none was ever needed there.
func (p identities) at(fd int) *identity {
	if c := p[fd/chunkSize].Load(); c != nil {
		return &c[fd%chunkSize]
	}
	return nil
}

// make returns the entry of a descriptor that has a slot.
func (p identities) make(fd int) *identity {
	if p.at(fd) == nil {
		p[fd/chunkSize].CompareAndSwap(nil, new([chunkSize]identity)) // another loop may be first
	}
	return p.at(fd)
}

// identityOf returns what is kept of a connection, nil when nothing is.
func (l *loop) identityOf(fd int, s *slot) *identity {
	if p := l.srv.identities.at(fd); p != nil && p.gen == s.generation() {
		return p
	}
	return nil
}

// remote is the address that is kept; the zero value: there is none.
func (p *identity) remote() netip.AddrPort {
	if p.nameless() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(p.addr).Unmap(), p.port)
}

// nameless reports whether the peer has no address: it is on a unix socket.
func (p *identity) nameless() bool { return p.addr == [16]byte{} }

// identify keeps the address of a connection that is about to begin in slot s,
// if there is a use for it. A peer on a unix socket has none.
func (l *loop) identify(fd int, s *slot, from *listener) *identity {
	c := l.srv.conf()
	if c.MaxPerAddress == 0 && c.Trusted == nil && l.srv.access == nil && !from.Proxy {
		return nil
	}
	a := remote(fd)
	if !a.IsValid() && !from.isUnix() {
		return nil // it has been reset already
	}
	p := l.srv.identities.make(fd)
	*p = identity{gen: s.generation() + 1, addr: a.Addr().As16(), port: a.Port(), came: l.srv.now(), trusted: c.trusts(a.Addr())}
	return p
}
