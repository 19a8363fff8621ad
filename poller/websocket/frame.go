package websocket

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// headroom is what a message in memory of its own keeps in front of its
// payload, so that a server's header can be written there.
const headroom = 10

// headerMost is the length of a client's longest header.
const headerMost = 14

// Errors in a header that ws.CheckHeader does not look for.
const (
	errLength    = ws.ProtocolError("frame length not in its shortest form")
	errLengthMSB = ws.ProtocolError("frame length with its top bit set")
)

// parseHeader reads the header at the front of b into h and returns its length,
// 0 when b does not hold all of it. An error is returned as soon as the bytes
// there are prove it, whatever may follow (RFC 6455 §5.2). h is filled in place:
// a Header is too large to travel in registers.
func parseHeader(b []byte, h *ws.Header, s ws.State) (n int, err error) {
	if len(b) < 2 {
		return 0, firstByte(b, s)
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] >> 4 & 7
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&0x80 != 0
	h.Length = int64(b[1] & 0x7f)
	// Most frames are whole messages: nothing in their first byte can be wrong.
	if whole := b[0] == wholeText || b[0] == wholeBinary; !whole || s.Fragmented() || !h.Masked {
		// The first byte is judged by itself, as when it comes alone: what is
		// wrong with two things is refused for the same one however it is cut.
		if err = firstByte(b, s); err != nil {
			return 0, err
		}
		if err = checkFrame(*h, s); err != nil {
			return 0, err
		}
		if h.OpCode == ws.OpClose && h.Length == 1 { // RFC 6455 §5.5.1: a code has two bytes
			return 0, ErrBadClose
		}
	}
	n = 6
	if h.Length >= 126 {
		if n, err = parseLength(b, h); n == 0 {
			return 0, err
		}
	}
	if len(b) < n {
		return 0, nil
	}
	h.Mask = [4]byte(b[n-4 : n])
	return n, nil
}

func serverState(fragmented bool) ws.State {
	if fragmented {
		return ws.StateServerSide | ws.StateFragmented
	}
	return ws.StateServerSide
}

// checkFrame is ws.CheckHeader, which leaves the reserved bits to whoever
// negotiated an extension: permessage-deflate has RSV1 alone, on the first frame
// of a data message (RFC 7692 §6).
func checkFrame(h ws.Header, s ws.State) error {
	if err := ws.CheckHeader(h, s); err != nil {
		return err
	}
	if h.Rsv != 0 && (h.Rsv != rsv1 || h.OpCode.IsControl() || h.OpCode == ws.OpContinuation) {
		return ws.ErrProtocolNonZeroRsv
	}
	return nil
}

// firstByte checks what the first byte alone can prove.
func firstByte(b []byte, s ws.State) error {
	if len(b) == 0 {
		return nil
	}
	h := ws.Header{Fin: b[0]&0x80 != 0, Rsv: b[0] >> 4 & 7, OpCode: ws.OpCode(b[0] & 0x0f), Masked: true}
	return checkFrame(h, s)
}

// parseLength reads a length of 16 or 64 bits: the shortest form is a must
// (RFC 6455 §5.2), and the most significant bit of the long one is 0. n is the
// length of the whole header, 0 when not all of the length is there.
func parseLength(b []byte, h *ws.Header) (n int, err error) {
	if h.Length == 126 {
		if len(b) < 4 {
			return 0, nil
		}
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		if h.Length < 126 {
			return 0, errLength
		}
		return 8, nil
	}
	if len(b) > 2 && b[2]&0x80 != 0 {
		return 0, errLengthMSB
	}
	if len(b) < 10 {
		return 0, nil
	}
	h.Length = int64(binary.BigEndian.Uint64(b[2:]))
	if h.Length < 1<<16 {
		return 0, errLength
	}
	return headerMost, nil
}

// headerLen is the length of a server's header for a payload of n bytes.
func headerLen(n int) int {
	switch {
	case n < 126:
		return 2
	case n < 1<<16:
		return 4
	}
	return 10
}

// putHeader writes the header of a whole message of n bytes to the front of b:
// never masked, the shortest length, no RSV bits (RFC 6455 §5.1, §5.2).
func putHeader(b []byte, op ws.OpCode, n int) {
	b[0] = 0x80 | byte(op)
	switch {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	default:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
}

// AppendFrame appends a server's frame: op, final, p as its payload.
func AppendFrame(dst []byte, op ws.OpCode, p []byte) []byte {
	var h [headroom]byte
	putHeader(h[:], op, len(p))
	dst = append(dst, h[:headerLen(len(p))]...)
	return append(dst, p...)
}
