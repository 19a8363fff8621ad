package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strconv"

	"github.com/gobwas/ws"
)

// This file is permessage-deflate (RFC 7692), the client's side: both directions
// begin each message anew, so that one message, compressed once, can be sent for
// ever, and a server that compresses it in one way answers the same bytes for ever.

// deflateOffer is what a client with --compression offers.
const deflateOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// checkAgreed says what is wrong with an answer to deflateOffer (RFC 7692 §7.1).
// The server may bound its own window, but not ours, which was not offered.
func checkAgreed(value []byte) error {
	name, params, more := bytes.Cut(value, []byte(";"))
	if string(bytes.TrimSpace(name)) != "permessage-deflate" {
		return fmt.Errorf("upgrade answered with an extension that was not offered: %.80q", value)
	}
	seen := make(map[string]bool)
	for more {
		var param []byte
		param, params, more = bytes.Cut(params, []byte(";"))
		name, bits, has := bytes.Cut(bytes.TrimSpace(param), []byte("="))
		n, err := strconv.Atoi(string(bits))
		good := !has
		switch string(name) {
		case "server_no_context_takeover", "client_no_context_takeover":
		case "server_max_window_bits":
			good = err == nil && n >= 8 && n <= 15
		default:
			good = false
		}
		if !good || seen[string(name)] {
			return fmt.Errorf("upgrade answered with a bad parameter: %.80q", value)
		}
		seen[string(name)] = true
	}
	if !seen["server_no_context_takeover"] {
		return fmt.Errorf("upgrade answered without server_no_context_takeover, which was asked for: %.80q", value)
	}
	return nil
}

const (
	rsv1Bit = 0x40 // of a frame's first byte
	// flushed ends what is flushed, and does not travel (RFC 7692 §7.2.1).
	flushed = "\x00\x00\xff\xff"
	// streamEnd makes whole what has travelled: that, and a final block.
	streamEnd = flushed + "\x01\x00\x00\xff\xff"
)

// packing is what a stream of compressed messages has besides: all of them are the
// same one.
type packing struct {
	reader io.ReadCloser
	frame  []byte // of the server, which was found to be the message
}

// newPackedStream prepares a message that is sent compressed, again and again.
func newPackedStream(op ws.OpCode, payload []byte, batch int) *stream {
	s := &stream{op: op, size: len(payload), ring: 1, packing: &packing{reader: flate.NewReader(nil)}}
	s.expect(ws.NewFrame(op, true, payload))
	f := ws.NewFrame(op, true, deflated(payload))
	f.Header.Rsv = ws.Rsv(true, false, false)
	s.say(ws.MaskFrameWith(f, randomMask(newRandom())))
	s.repeat(batch)
	return s
}

// jsonPayload is size bytes of what services send each other: records with numbers.
func jsonPayload(size int) []byte {
	random := newRandom()
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, `{"id":%d,"name":"user-%d","active":%v,"score":%.2f,"tags":["alpha","beta"]},`,
			random.IntN(1e9), random.IntN(1e4), random.IntN(2) == 0, random.Float64()*100)
	}
	return b.Bytes()[:size]
}

// deflated is p as it travels.
func deflated(p []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		panic("bench: internal error: " + err.Error())
	}
	_, _ = w.Write(p)
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte(flushed))
}

// longest is what a server may make of a message compressed: one that has nothing
// to gain from it may send it as it is.
func (s *stream) longest() int { return s.size + s.size/8 + 64 }

// inflates reports whether z is what the message is compressed, to its last byte.
func (s *stream) inflates(z []byte, message uint64) bool {
	source := bytes.NewReader(append(z[:len(z):len(z)], streamEnd...))
	_ = s.packing.reader.(flate.Resetter).Reset(source, nil)
	p := make([]byte, s.size+1)
	n, err := io.ReadFull(s.packing.reader, p)
	return (err == io.EOF || err == io.ErrUnexpectedEOF) && source.Len() == 0 && bytes.Equal(p[:n], s.payload(message))
}

// learn keeps a frame of the server that was found to be the message: what is the
// same need not be inflated again.
func (s *stream) learn(h ws.Header, z []byte) {
	if s.packing.frame == nil && h.OpCode != ws.OpContinuation {
		s.packing.frame = ws.MustCompileFrame(ws.Frame{Header: h, Payload: z})
	}
}

// repeats is how many messages p is, if it is made of frames that are known; 0: it
// has to be read frame by frame.
func (s *stream) repeats(at uint64, p []byte) (messages int) {
	if s.packing == nil || s.packing.frame == nil || at%uint64(s.inFrame) != 0 {
		return 0
	}
	for known := s.packing.frame; len(p) > 0; messages++ {
		rest, ok := bytes.CutPrefix(p, known)
		if !ok {
			return 0
		}
		p = rest
	}
	return messages
}
