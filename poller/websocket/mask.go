package websocket

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

const (
	// shiftMax is the longest payload for which one pass of our own that moves
	// and unmasks costs less than a copy and ws.Cipher's vector code.
	shiftMax = 256
	// chunk is how much of a long payload is unmasked before it is checked: it
	// is in the first-level cache then.
	chunk = 16 << 10
	// topBits are those of eight bytes; ASCII has none.
	topBits = 0x8080808080808080
)

// unmask makes the payload of a whole frame readable, joined to the run if
// there is one: what is in front of it has been taken, and the server's header
// is 4 bytes shorter than the client's, so there is always room to the left.
// plain is the length of a prefix that is known to be ASCII.
func (c *Conn) unmask(in []byte, at, n int) (p []byte, plain int) {
	h := &c.header
	size, from := int(h.Length), at+n
	to := from
	if c.runEnd > 0 && len(c.out) == 0 {
		to = c.runEnd + headerLen(size)
	}
	p = in[to : to+size : to+size]
	if size <= shiftMax && (c.work == nil || c.work.done == 0) {
		if shift(p, in[from:from+size], h.Mask)&topBits == 0 {
			plain = size
		}
	} else {
		plain = c.unmaskLong(p, in[from:from+size])
	}
	c.curAt, c.curEnd = to, to+size
	return p, plain
}

// unmaskLong is unmask for what vector code is faster with, and for a frame
// whose front was unmasked when it came.
func (c *Conn) unmaskLong(p, from []byte) (plain int) {
	moves, done := &p[0] != &from[0], 0
	if w := c.work; w != nil {
		done, w.done, w.checked = w.done, 0, 0
	}
	if moves {
		copy(p[:done], from)
	}
	for at := done; at < len(p); at += chunk {
		part := p[at:min(at+chunk, len(p))]
		if moves {
			copy(part, from[at:])
		}
		ws.Cipher(part, c.header.Mask, at)
		if plain == at && c.header.OpCode == ws.OpText {
			plain += ascii(part)
		}
	}
	return plain
}

// shift unmasks src into dst, which is as long and begins at the same byte or to
// the left of it. All that it wrote is returned ored together: where there are
// no top bits in it, the payload is ASCII.
func shift(dst, src []byte, key [4]byte) (seen uint64) {
	mask := uint64(binary.LittleEndian.Uint32(key[:]))
	mask |= mask << 32
	// What is stored over has been loaded: dst overlaps src from the left.
	for len(src) >= 32 && len(dst) >= 32 {
		a := binary.LittleEndian.Uint64(src) ^ mask
		b := binary.LittleEndian.Uint64(src[8:]) ^ mask
		c := binary.LittleEndian.Uint64(src[16:]) ^ mask
		d := binary.LittleEndian.Uint64(src[24:]) ^ mask
		binary.LittleEndian.PutUint64(dst, a)
		binary.LittleEndian.PutUint64(dst[8:], b)
		binary.LittleEndian.PutUint64(dst[16:], c)
		binary.LittleEndian.PutUint64(dst[24:], d)
		seen |= a | b | c | d
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		a := binary.LittleEndian.Uint64(src) ^ mask
		binary.LittleEndian.PutUint64(dst, a)
		seen |= a
		src, dst = src[8:], dst[8:]
	}
	for i := range src {
		b := src[i] ^ key[i&3]
		dst[i] = b
		seen |= uint64(b)
	}
	return seen
}

// ascii is the length of an ASCII prefix of p: all of it, or at most 63 bytes
// less than what stands before the first other byte.
func ascii(p []byte) (n int) {
	for ; len(p)-n >= 64; n += 64 {
		q := p[n : n+64 : n+64]
		seen := binary.LittleEndian.Uint64(q) | binary.LittleEndian.Uint64(q[8:]) |
			binary.LittleEndian.Uint64(q[16:]) | binary.LittleEndian.Uint64(q[24:]) |
			binary.LittleEndian.Uint64(q[32:]) | binary.LittleEndian.Uint64(q[40:]) |
			binary.LittleEndian.Uint64(q[48:]) | binary.LittleEndian.Uint64(q[56:])
		if seen&topBits != 0 {
			return n
		}
	}
	for ; n < len(p); n++ {
		if p[n] >= 0x80 {
			return n
		}
	}
	return n
}
