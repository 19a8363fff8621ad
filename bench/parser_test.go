package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// verified feeds pieces as a loop does: to the stream as long as it matches,
// else to a parser. It returns how many messages are whole, the control frames,
// and what failed.
func verified(s *stream, pieces ...[]byte) (messages uint64, control string, f *failure) {
	var at uint64
	var p *parser
	for _, piece := range pieces {
		if p == nil && s.matches(at, piece) {
			at += uint64(len(piece))
			continue
		}
		if p == nil {
			p = newParser(s, at)
		}
		f = p.feed(s, piece, func(op ws.OpCode, payload []byte) *failure {
			control += fmt.Sprintf("%d:%s ", op, payload)
			return nil
		})
		if f != nil {
			return p.message, control, f
		}
		at = p.message * uint64(s.inFrame)
		if p.rests() {
			p = nil
		}
	}
	return at / uint64(s.inFrame), control, nil
}

// frames compiles frames one after the other.
func frames(list ...ws.Frame) []byte {
	var b []byte
	for _, f := range list {
		b = append(b, ws.MustCompileFrame(f)...)
	}
	return b
}

// conversations are what servers may answer, to messages of size bytes.
func conversations(s *stream) map[string][]byte {
	m := func(n uint64) []byte { return s.payload(n) }
	bin, cont := ws.OpBinary, ws.OpContinuation
	half := s.size / 2
	return map[string][]byte{
		"one frame each": frames(ws.NewFrame(bin, true, m(0)), ws.NewFrame(bin, true, m(1)), ws.NewFrame(bin, true, m(2))),
		"fragments": frames(ws.NewFrame(bin, false, m(0)[:half]), ws.NewFrame(cont, true, m(0)[half:]),
			ws.NewFrame(bin, true, m(1)), ws.NewFrame(bin, false, nil), ws.NewFrame(cont, false, m(2)), ws.NewFrame(cont, true, nil)),
		"a control frame at the end": frames(ws.NewFrame(bin, true, m(0)), ws.NewFrame(bin, true, m(1)), ws.NewFrame(bin, true, m(2)), ws.NewPingFrame([]byte("d"))),
		"control frames between": frames(ws.NewPingFrame([]byte("a")), ws.NewFrame(bin, true, m(0)), ws.NewFrame(bin, false, m(1)[:half]),
			ws.NewPingFrame(nil), ws.NewPongFrame([]byte("b")), ws.NewFrame(cont, true, m(1)[half:]), ws.NewFrame(bin, true, m(2)), ws.NewPingFrame([]byte("c"))),
	}
}

// However the bytes are cut, the same comes out: whole, byte by byte, and in
// two at every index.
func TestVerificationDoesNotDependOnCuts(t *testing.T) {
	for _, size := range []int{0, 1, 64, 125, 126, 1000} {
		s := newStream(ws.OpBinary, size, 1)
		for name, wire := range conversations(s) {
			wantMessages, wantControl, f := verified(s, wire)
			if f != nil || wantMessages != 3 {
				t.Fatalf("%d bytes, %s: got %d messages and %v, want 3", size, name, wantMessages, f)
			}
			same := func(how string, pieces ...[]byte) {
				t.Helper()
				messages, control, f := verified(s, pieces...)
				if f != nil || messages != wantMessages || control != wantControl {
					t.Errorf("%d bytes, %s, %s: got %d messages, control %q, %v, want %d, %q", size, name, how, messages, control, f, wantMessages, wantControl)
				}
			}
			same("byte by byte", slices.Collect(slices.Chunk(wire, 1))...)
			for i := range wire {
				same(fmt.Sprintf("cut at %d", i), wire[:i], wire[i:])
			}
		}
	}
}

// Whatever byte of what comes back is wrong, it is noticed: at the latest when
// the message is whole and the next one begins.
func TestEveryWrongByteIsNoticed(t *testing.T) {
	for _, size := range []int{0, 1, 64, 126} {
		s := newStream(ws.OpBinary, size, 1)
		for name, wire := range conversations(s) {
			if strings.Contains(name, "control") {
				continue // their payloads are the server's own
			}
			for i := range wire {
				for bit := range 8 {
					bad := bytes.Clone(wire)
					bad[i] ^= 1 << bit
					if messages, control, f := verified(s, bad); f == nil && messages == 3 && control == "" {
						t.Errorf("%d bytes, %s: bit %d of byte %d is wrong, and nobody says so", size, name, bit, i)
					}
				}
			}
		}
	}
}

// What is sent is what a server reads as the messages that are verified, in
// whatever pieces the socket takes it.
func TestStreamIsWhatIsVerified(t *testing.T) {
	for _, x := range []struct{ size, batch int }{{0, 1}, {5, 1}, {64, 16}, {64, 1000}, {126, 3}, {70_000, 5}, {300_000, 16}} {
		s := newStream(ws.OpBinary, x.size, x.batch)
		number := uint64(2*s.ring + x.batch)
		end := number * uint64(s.outFrame)
		var sent bytes.Buffer
		for at := uint64(0); at < end; {
			p := s.piece(at, end)
			p = p[:1+len(p)*2/3] // the socket is full
			sent.Write(p)
			at += uint64(len(p))
		}
		for n := range number {
			f, err := readFrame(&sent)
			if err != nil {
				t.Fatalf("%v: message %d: %v", x, n, err)
			}
			if !f.Header.Masked || f.Header.OpCode != ws.OpBinary || !bytes.Equal(ws.UnmaskFrameInPlace(f).Payload, s.payload(n)) {
				t.Fatalf("%v: message %d is not what is verified", x, n)
			}
		}
	}
}

// A batch is one piece wherever in the ring it begins.
func TestBatchIsOnePiece(t *testing.T) {
	s := newStream(ws.OpText, 100, 7)
	for n := range uint64(3 * s.ring) {
		from := n * uint64(s.outFrame)
		if got := len(s.piece(from, from+7*uint64(s.outFrame))); got != 7*s.outFrame {
			t.Fatalf("batch at message %d is cut after %d of %d bytes", n, got, 7*s.outFrame)
		}
	}
}
