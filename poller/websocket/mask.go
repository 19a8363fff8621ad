package websocket

import "encoding/binary"

const (
	// shiftMax is the longest payload that shift alone is as good for as cipher.
	shiftMax = 128
	// chunk is how much of a long payload is unmasked before it is checked: it
	// is in the first-level cache then.
	chunk = 16 << 10
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
		if shift(p, in[from:from+size], binary.LittleEndian.Uint32(h.Mask[:]))&topBits == 0 {
			plain = size
		}
	} else {
		plain = c.unmaskLong(p, in[from:from+size])
	}
	c.curAt, c.curEnd = to, to+size
	return p, plain
}

// unmaskLong is unmask for a longer payload, or one whose front was unmasked when it
// came: such a frame is the first of its read, so it stays where it lies.
func (c *Conn) unmaskLong(p, from []byte) (plain int) {
	done := 0
	if w := c.work; w != nil {
		done, w.done, w.checked = w.done, 0, 0
	}
	for at := done; at < len(p); at += chunk {
		end := min(at+chunk, len(p))
		seen := cipher(p[at:end], from[at:end], c.header.Mask, at)
		if plain == at && seen&topBits == 0 {
			plain = end
		}
	}
	return plain
}
