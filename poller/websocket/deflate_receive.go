package websocket

import (
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"
)

// compressed takes the first frame of a compressed message, or the part of it, at
// in[at:], as next takes others. Its fragments are next's: only the first frame
// has RSV1 (RFC 7692 §6.1).
func (c *Conn) compressed(in []byte, at int) (n int, err error) {
	h, s := &c.header, serverState(c.work != nil && c.work.inMessage)
	n, err = parseHeader(in[at:], h, s|ws.StateExtended)
	if n == 0 || err != nil {
		return 0, err
	}
	if c.st.phase == phaseClosing {
		c.skip(h)
		return n, nil
	}
	if h.Length > int64(c.longest(opDeflated)) {
		return 0, ErrMessageTooBig
	}
	size, missing := int(h.Length), int(h.Length) > len(in)-at-n
	switch {
	case !h.Fin || missing && n+size > tailMax:
		return n, c.fragment(h)
	case missing:
		return 0, c.keep(in[at:], n)
	}
	p, _ := c.unmask(in, at, n)
	return n + size, c.expand(h.OpCode, p, nil)
}

// deflateOverhead is what a compressor may add to n bytes that it makes nothing
// of: with fixed codes a byte takes nine bits at most (RFC 1951 §3.2.6).
func deflateOverhead(n int) int { return n/8 + 64 }

// expand delivers a compressed message, whose payload p lies in m if it has memory
// of its own.
func (c *Conn) expand(op ws.OpCode, p, m []byte) error {
	z, m := c.ending(p, m)
	c.current = m
	q, err := c.inflate(z)
	c.loop.Free(m)
	c.inflated += len(q)
	c.current = q
	if err == nil && op == ws.OpText && !utf8.Valid(q) {
		err = ErrInvalidUTF8
	}
	if err == nil {
		err = c.deliver(op, q)
	}
	if raceEnabled {
		poison(q)
	}
	c.current = nil
	c.loop.Free(q)
	return err
}

// ending is p with blockEnds behind it: in m, which p ends, where that has room,
// else in other memory. What it lies in is to be given back.
func (c *Conn) ending(p, m []byte) (z, memory []byte) {
	if m != nil && cap(m)-len(m) >= len(blockEnds) {
		return append(m, blockEnds...)[len(m)-len(p):], m
	}
	z = append(append(c.loop.Alloc(len(p)+len(blockEnds)), p...), blockEnds...)
	c.loop.Free(m)
	return z, z
}

const (
	// blockEnds is what makes a payload whole for a reader of blocks: the end of
	// a flush, which does not travel, and a final block.
	blockEnds = flushed + lastBlock
	// inflateGuess is how many times larger than itself a payload is expected to
	// become: text comes to between three and six times.
	inflateGuess = 4
	// finalBlocks is how many blocks of a message may be marked as final. RFC 7692
	// §7.2.3.4 allows any, nobody sends more than one, and each costs as much
	// as 32 KiB of payload.
	finalBlocks = 16
	// turnInflated is how many bytes messages of a connection may have come to
	// before others have their turn: as much as one read brings of what is not
	// compressed. Else a read full of messages of a kilobyte, each a bomb within
	// the limit, would keep the loop for seconds.
	turnInflated = 512 << 10
)

// inflate returns what z, a payload and blockEnds, inflates to, in memory of the
// Loop. What it comes to is held against the limit as it comes: nothing is gained
// by a bomb (limits.md T4).
func (c *Conn) inflate(z []byte) (q []byte, err error) {
	d, most := &c.deflate, c.longest(0)
	d.in.Reset(z)
	defer d.in.Reset(nil)
	q = c.loop.Alloc(min(inflateGuess*len(z)+64, most+1))
	d.into = q
	for range finalBlocks {
		d.restart(q)
		if q, err = c.block(d.reader, q, most); err != nil || ended(d.in.Len()) {
			break
		}
		err = ErrDeflate
	}
	d.into = nil
	return q, err
}

// ended reports whether a stream that leaves that much of z unread has ended where
// a message may: with the final block behind it, or at its very end with one of its
// own, which some senders put there (RFC 7692 §7.2.3.4).
func ended(unread int) bool { return unread == 0 || unread == len(blockEnds) }

// restart makes the reader begin behind q, whose end is in its window.
func (d *deflate) restart(q []byte) {
	if d.reader == nil {
		d.reader = flate.NewReader(&d.in)
	}
	window := q[max(0, len(q)-1<<windowMost):]
	_ = d.reader.(flate.Resetter).Reset(&d.in, window) // it only returns nil
}

// block appends what r has up to its end, a final block, to q.
func (c *Conn) block(r io.Reader, q []byte, most int) ([]byte, error) {
	for {
		if len(q) == cap(q) {
			q = c.enlarge(q, most+1)
		}
		n, err := r.Read(q[len(q):cap(q)])
		q = q[:len(q)+n]
		switch {
		case len(q) > most:
			return q, ErrMessageTooBig
		case err == io.EOF:
			return q, nil
		case err != nil:
			return q, ErrDeflate
		}
	}
}

// enlarge moves q to memory four times as large, at most most bytes.
func (c *Conn) enlarge(q []byte, most int) []byte {
	b := append(c.loop.Alloc(min(inflateGuess*cap(q), most)), q...)
	c.loop.Free(q)
	c.deflate.into = b
	return b
}
