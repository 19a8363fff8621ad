package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"
)

// parser verifies what a server sends frame by frame. It takes over where the
// bytes are not those of one frame for each message: a ping is among them, the
// server fragments, or something is wrong. It is kept only until the bytes are
// at the end of a whole message again.
type parser struct {
	message uint64 // number of the message that is under way or comes next
	at      int    // bytes of its payload that have come and were right
	begun   bool   // its first frame has come
	packed  bool   // it is compressed
	payload []byte // what has come of it then

	extended ws.State // ws.StateExtended where messages may be compressed

	head    []byte // of a header that has not come whole
	frame   ws.Header
	left    int64 // of the payload of frame
	inFrame bool
	control []byte // payload so far of a control frame
	source  bytes.Reader
}

// failure is why a connection ends.
type failure struct {
	kind Kind
	text string
}

func (f *failure) Error() string { return f.text }

// newParser begins after at bytes that were those of s.
func newParser(s *stream, at uint64) *parser {
	p := &parser{message: at / uint64(s.inFrame)}
	if s.packing != nil {
		p.extended = ws.StateExtended
	}
	rest := int(at % uint64(s.inFrame))
	begin := s.in[int(p.message%uint64(s.ring))*s.inFrame:]
	switch {
	case rest < s.inHead:
		p.head = append(p.head, begin[:rest]...)
	default:
		p.head = append(p.head, begin[:s.inHead]...)
		p.header() // our own, and good
		p.at = rest - s.inHead
		p.left -= int64(p.at)
	}
	return p
}

// rests reports whether the parser is between two messages, and no longer
// needed.
func (p *parser) rests() bool { return !p.begun && !p.inFrame && len(p.head) == 0 }

// feed takes what was read. It calls control for each control frame, whose
// payload is good until the call returns.
func (p *parser) feed(s *stream, in []byte, control func(op ws.OpCode, payload []byte) *failure) *failure {
	for {
		if !p.inFrame {
			n, whole := p.takeHead(in)
			in = in[n:]
			if !whole {
				return nil
			}
			if f := p.header(); f != nil {
				return f
			}
		}
		n := int(min(int64(len(in)), p.left))
		if f := p.take(s, in[:n]); f != nil {
			return f
		}
		in = in[n:]
		p.left -= int64(n)
		if p.left > 0 {
			return nil
		}
		if f := p.end(s, control); f != nil {
			return f
		}
	}
}

// takeHead moves bytes of in to the header until it is whole.
func (p *parser) takeHead(in []byte) (n int, whole bool) {
	for n < len(in) && len(p.head) < headLength(p.head) {
		p.head = append(p.head, in[n])
		n++
	}
	return n, len(p.head) == headLength(p.head)
}

// headLength is how long the header is that begins with head.
func headLength(head []byte) int {
	if len(head) < 2 {
		return 2
	}
	n := 2
	switch head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// header begins the frame whose header is whole.
func (p *parser) header() *failure {
	p.source.Reset(p.head)
	h, err := ws.ReadHeader(&p.source)
	if err == nil {
		state := ws.StateClientSide.Set(p.extended)
		if p.begun {
			state = state.Set(ws.StateFragmented)
		}
		err = ws.CheckHeader(h, state)
	}
	// RFC 7692 §6: of the reserved bits RSV1 alone, on a message's first frame.
	if err == nil && h.Rsv != 0 && (p.head[0]&0x70 != rsv1Bit || p.begun || h.OpCode.IsControl()) {
		err = ws.ErrProtocolNonZeroRsv
	}
	// RFC 6455 §5.2: the shortest form is the only good one.
	if err == nil && len(p.head) != ws.HeaderSize(h) {
		err = ws.ProtocolError("length not in its shortest form")
	}
	if err != nil {
		return &failure{KindProtocol, fmt.Sprintf("message %d: %v", p.message, err)}
	}
	p.head = p.head[:0]
	p.frame, p.left, p.inFrame = h, h.Length, true
	if !h.OpCode.IsControl() {
		p.packed = p.packed || h.Rsv != 0
		p.begun = true
	}
	return nil
}

// take verifies, or keeps, payload of the frame under way.
func (p *parser) take(s *stream, in []byte) *failure {
	if p.frame.OpCode.IsControl() {
		p.control = append(p.control, in...)
		return nil
	}
	if p.frame.OpCode != ws.OpContinuation && p.frame.OpCode != s.op {
		return p.corrupt("came back as opcode %d, was sent as %d", p.frame.OpCode, s.op)
	}
	if p.packed {
		if p.payload = append(p.payload, in...); len(p.payload) > s.longest() {
			return p.corrupt("is compressed to more than it was")
		}
		return nil
	}
	want := s.payload(p.message)[p.at:]
	if int64(len(want)) < p.left {
		return p.corrupt("is %d bytes longer than what was sent", p.left-int64(len(want)))
	}
	if !bytes.Equal(in, want[:len(in)]) {
		i := 0
		for in[i] == want[i] {
			i++
		}
		return p.corrupt("byte %d is %#02x, was sent as %#02x", p.at+i, in[i], want[i])
	}
	p.at += len(in)
	return nil
}

// end ends the frame under way, whose payload has come whole.
func (p *parser) end(s *stream, control func(op ws.OpCode, payload []byte) *failure) *failure {
	p.inFrame = false
	if p.frame.OpCode.IsControl() {
		f := control(p.frame.OpCode, p.control)
		p.control = p.control[:0]
		return f
	}
	if !p.frame.Fin {
		return nil
	}
	switch {
	case p.packed && !s.inflates(p.payload, p.message):
		return p.corrupt("does not inflate to what was sent")
	case p.packed:
		s.learn(p.frame, p.payload)
		p.packed, p.payload = false, p.payload[:0]
	case p.at != s.size:
		return p.corrupt("is %d bytes, %d were sent", p.at, s.size)
	}
	p.message, p.at, p.begun = p.message+1, 0, false
	return nil
}

func (p *parser) corrupt(format string, args ...any) *failure {
	return &failure{KindCorrupt, fmt.Sprintf("message %d ", p.message) + fmt.Sprintf(format, args...)}
}

// closeFailure is what a close frame that was not asked for says.
func closeFailure(payload []byte) *failure {
	if len(payload) < 2 {
		return &failure{KindClosed, "closed by the server without a code"}
	}
	return &failure{KindClosed, fmt.Sprintf("closed by the server with %d %q", binary.BigEndian.Uint16(payload), payload[2:])}
}
