package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/gobwas/ws"
)

// maxHeader is the longest header of a client's frame.
const maxHeader = 14

var (
	errRequest  = errors.New("epoll: the request did not come in one read")
	errUnmasked = errors.New("epoll: unmasked frame")
)

// conn is where a connection is in its stream.
type conn struct {
	open    bool
	closing bool // a close frame has come
	left    int  // payload bytes of the current frame that are to come
	offset  int  // of the next of them in the payload, for the mask
	mask    [4]byte
	kept    int // bytes of an unfinished header in head
	head    [maxHeader]byte
	unsent  []byte
}

// receive takes buf[from:to], which was read, and returns what the peer gets. In
// front of it there is room for a header.
func (c *conn) receive(buf []byte, from, to int) (out []byte, err error) {
	if c.open {
		from -= c.kept
		copy(buf[from:], c.head[:c.kept])
		c.kept = 0
		return c.frames(buf[from:to])
	}
	end := bytes.Index(buf[from:to], []byte("\r\n\r\n"))
	if end < 0 {
		return nil, errRequest
	}
	end += from + 4
	var reply bytes.Buffer
	_, err = ws.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(buf[from:end]), &reply})
	if err != nil {
		return reply.Bytes(), err
	}
	c.open = true
	out, err = c.frames(buf[end:to])
	return append(reply.Bytes(), out...), err
}

// frames turns client's frames into server's where they lie. A server's header
// is the mask, 4 bytes, shorter, so what is written never passes what is read,
// and a frame that is alone need not move: its new header ends where the old one
// did.
func (c *conn) frames(p []byte) ([]byte, error) {
	begin := 0
	if c.left == 0 {
		begin = min(4, len(p))
	}
	in, out := 0, begin
	for in < len(p) {
		if c.left == 0 {
			n, err := c.header(p[in:])
			if err != nil {
				return p[begin:out], err
			}
			if n == 0 {
				c.kept = copy(c.head[:], p[in:])
				break
			}
			// The new header may overlap the old one.
			out += copy(p[out:], c.head[:n-4])
			in += n
		}
		n := min(c.left, len(p)-in)
		ws.Cipher(p[in:in+n], c.mask, c.offset)
		if in != out {
			copy(p[out:], p[in:in+n])
		}
		in, out = in+n, out+n
		c.left, c.offset = c.left-n, c.offset+n
	}
	return p[begin:out], nil
}

// done reports whether the close frame is answered to its end.
func (c *conn) done() bool {
	return c.closing && c.left == 0
}

// header reads the header that p begins with, leaves the server's in c.head and
// returns the size of the client's, 0 when it is not complete.
func (c *conn) header(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, nil
	}
	if p[1]&0x80 == 0 {
		return 0, errUnmasked
	}
	size, length := 6, int(p[1]&0x7f)
	switch length {
	case 126:
		size = 8
	case 127:
		size = maxHeader
	}
	if len(p) < size {
		return 0, nil
	}
	switch length {
	case 126:
		length = int(binary.BigEndian.Uint16(p[2:]))
	case 127:
		length = int(binary.BigEndian.Uint64(p[2:]) &^ (1 << 63))
	}
	copy(c.head[:], p[:size-4])
	c.head[1] &^= 0x80
	switch ws.OpCode(p[0] & 0x0f) {
	case ws.OpPing:
		c.head[0] ^= byte(ws.OpPing ^ ws.OpPong)
	case ws.OpClose:
		c.closing = true
	}
	c.mask = [4]byte(p[size-4 : size])
	c.left, c.offset = length, 0
	return size, nil
}
