package main

import (
	"bytes"
	"math/rand/v2"

	"github.com/gobwas/ws"
)

// stream is what every connection sends, and what it must get back: the endless
// repetition of a few prepared messages. They are masked once, so that sending
// costs no more than the system call, and a server that answers each message
// with one frame is verified by comparing bytes with the ring of frames in.
//
// A stream is immutable, but for what packing learns: all connections of a loop
// share it.
type stream struct {
	op   ws.OpCode
	size int // of one payload
	ring int // how many different messages there are, a power of two

	out      []byte // the client's frames; goes on beyond the ring, so that a batch is one piece
	outFrame int    // bytes of one

	in      []byte // the frames of a server that answers in one frame
	inFrame int
	inHead  int // bytes of their header

	packing *packing // nil: nothing is compressed
}

// ringBytes is how much the rings of small messages may take: they stay in the
// cache beside what is compared with them. contiguous is how much of out may be
// repeated for the sake of one system call a batch.
const (
	ringBytes  = 32 << 10
	ringMost   = 64
	ringLeast  = 2
	contiguous = 4 << 20
)

// stream prepares what the connections of a share send.
func (s *share) stream() *stream {
	op := ws.OpBinary
	if s.Text {
		op = ws.OpText
	}
	switch {
	case s.Compression && s.Payload == nil:
		return newPackedStream(op, jsonPayload(s.Size), s.Pipeline)
	case s.Compression:
		return newPackedStream(op, s.Payload, s.Pipeline)
	case s.Payload != nil:
		return newRepeatedStream(op, s.Payload, s.Pipeline)
	}
	return newStream(op, s.Size, s.Pipeline)
}

// newRepeatedStream prepares a message that is sent again and again.
func newRepeatedStream(op ws.OpCode, payload []byte, batch int) *stream {
	s := &stream{op: op, size: len(payload), ring: 1}
	f := ws.NewFrame(op, true, payload)
	s.expect(f)
	s.say(ws.MaskFrameWith(f, randomMask(newRandom())))
	s.repeat(batch)
	return s
}

// newRandom is not for secrets: a mask need only differ from run to run.
func newRandom() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }

// newStream prepares messages of size bytes that are sent in batches of batch.
func newStream(op ws.OpCode, size, batch int) *stream {
	s := &stream{op: op, size: size, ring: ringMost}
	for s.ring > ringLeast && s.ring*size > ringBytes {
		s.ring /= 2
	}
	random := newRandom()
	for range s.ring {
		f := ws.NewFrame(op, true, randomPayload(random, op, size))
		s.expect(f)
		s.say(ws.MaskFrameWith(f, randomMask(random)))
	}
	s.repeat(batch)
	return s
}

// expect adds a frame that a server answers.
func (s *stream) expect(f ws.Frame) {
	in := ws.MustCompileFrame(f)
	s.inFrame, s.inHead = len(in), len(in)-s.size
	s.in = append(s.in, in...)
}

// say adds a frame of the client.
func (s *stream) say(f ws.Frame) {
	out := ws.MustCompileFrame(f)
	s.outFrame = len(out)
	s.out = append(s.out, out...)
}

// repeat goes on beyond the ring, so that a batch is one piece.
func (s *stream) repeat(batch int) {
	for i := 0; i < batch-1 && len(s.out) < s.ring*s.outFrame+contiguous; i++ {
		s.out = append(s.out, s.out[i*s.outFrame:(i+1)*s.outFrame]...)
	}
}

// randomPayload has no pattern that a broken server could leave intact. A text
// is ASCII, so that fragments may be cut anywhere.
func randomPayload(random *rand.Rand, op ws.OpCode, size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(random.Uint32())
		if op == ws.OpText {
			p[i] = 'a' + p[i]%26
		}
	}
	return p
}

func randomMask(random *rand.Rand) (mask [4]byte) {
	for i := range mask {
		mask[i] = byte(random.Uint32())
	}
	return mask
}

// piece is what to send of the bytes from up to to, of which some may have to
// wait for the next call: what lies in one piece.
func (s *stream) piece(from, to uint64) []byte {
	at := int(from % uint64(s.ring*s.outFrame))
	return s.out[at:min(uint64(len(s.out)), uint64(at)+to-from)]
}

// matches reports whether p is what follows the first at bytes of a server that
// answers each message with one frame.
func (s *stream) matches(at uint64, p []byte) bool {
	i := int(at % uint64(len(s.in)))
	for len(p) > len(s.in)-i {
		n := len(s.in) - i
		if !bytes.Equal(p[:n], s.in[i:]) {
			return false
		}
		p, i = p[n:], 0
	}
	return bytes.Equal(p, s.in[i:i+len(p)])
}

// payload is that of the message of this number, counted from 0.
func (s *stream) payload(message uint64) []byte {
	i := int(message%uint64(s.ring)) * s.inFrame
	return s.in[i+s.inHead : i+s.inFrame]
}
