package websocket

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// The first byte of a frame as RFC 6455 §5.2 draws it: FIN, RSV, opcode.
const (
	firstText   = 0x80 | byte(ws.OpText)
	firstBinary = 0x80 | byte(ws.OpBinary)
	firstClose  = 0x80 | byte(ws.OpClose)
	firstPing   = 0x80 | byte(ws.OpPing)
	firstPong   = 0x80 | byte(ws.OpPong)
)

// sampleMask is the masking key of RFC 6455 §5.7.
var sampleMask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked is a client's frame. It is built by hand: a second reading of the RFC
// beside the code under test.
func masked(first byte, p string) string { return maskedWith(sampleMask, first, p) }

func maskedWith(key [4]byte, first byte, p string) string {
	b := appendLength([]byte{first}, 0x80, len(p))
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, p...)
	for i := range len(p) {
		b[at+i] ^= key[i%4]
	}
	return string(b)
}

// bare is a server's frame: not masked.
func bare(first byte, p string) string {
	return string(append(appendLength([]byte{first}, 0, len(p)), p...))
}

// appendLength appends the second byte, with its mask bit, and the length.
func appendLength(b []byte, bit byte, n int) []byte {
	switch {
	case n <= 125:
		return append(b, bit|byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
}

// What a client sends: whole messages, and the parts of one.
func text(p string) string   { return masked(firstText, p) }
func blob(p string) string   { return masked(firstBinary, p) }
func ping(p string) string   { return masked(firstPing, p) }
func pong(p string) string   { return masked(firstPong, p) }
func begin(p string) string  { return masked(byte(ws.OpText), p) }
func middle(p string) string { return masked(byte(ws.OpContinuation), p) }
func last(p string) string   { return masked(0x80|byte(ws.OpContinuation), p) }

func closes(code ws.StatusCode, reason string) string {
	return masked(firstClose, closeBody(code, reason))
}

// What the server sends.
func echoed(p string) string { return bare(firstText, p) }
func ponged(p string) string { return bare(firstPong, p) }
func closed(code ws.StatusCode, reason string) string {
	return bare(firstClose, closeBody(code, reason))
}

func closeBody(code ws.StatusCode, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// letters are n bytes of text that has no short period, 16 MiB at most.
func letters(n int) string { return alphabet()[:n] }

var alphabet = sync.OnceValue(func() string {
	b := make([]byte, 0, 16<<20+8)
	for i := uint32(1); len(b) < 16<<20; i++ {
		for x := i * 2654435761; x != 0; x >>= 5 {
			b = append(b, 'A'+byte(x&31))
		}
	}
	return string(b)
})

// split is a message in fragments of n bytes: the first frame has first without
// its FIN bit, the others are continuations.
func split(first byte, p string, n int) string {
	var b strings.Builder
	b.Grow(len(p) + len(p)/n*14)
	op := first &^ 0x80
	for len(p) > n {
		b.WriteString(masked(op, p[:n]))
		p, op = p[n:], byte(ws.OpContinuation)
	}
	b.WriteString(masked(0x80|op, p))
	return b.String()
}

// badAt is how many bytes of p prove that it is no UTF-8, whatever follows; 0
// when p is the beginning of good text. whole is false when a rune is missing
// bytes at the end. The rows are those of the Unicode standard's table 3-7.
func badAt(p string) (n int, whole bool) {
	for i := 0; i < len(p); {
		row := utf8Row(p[i])
		if row == nil {
			return i + 1, false
		}
		for k := range row {
			if i+1+k == len(p) {
				return 0, false
			}
			if b := p[i+1+k]; b < row[k][0] || b > row[k][1] {
				return i + k + 2, false
			}
		}
		i += 1 + len(row)
	}
	return 0, true
}

// utf8Row are the ranges of the bytes that follow a first one; nil: none may be
// the first.
func utf8Row(first byte) [][2]byte {
	tail := [2]byte{0x80, 0xbf}
	switch {
	case first < 0x80:
		return [][2]byte{}
	case first >= 0xc2 && first <= 0xdf:
		return [][2]byte{tail}
	case first == 0xe0:
		return [][2]byte{{0xa0, 0xbf}, tail}
	case first == 0xed: // no surrogates
		return [][2]byte{{0x80, 0x9f}, tail}
	case first >= 0xe1 && first <= 0xef:
		return [][2]byte{tail, tail}
	case first == 0xf0:
		return [][2]byte{{0x90, 0xbf}, tail, tail}
	case first >= 0xf1 && first <= 0xf3:
		return [][2]byte{tail, tail, tail}
	case first == 0xf4: // nothing above U+10FFFF
		return [][2]byte{{0x80, 0x8f}, tail, tail}
	}
	return nil
}
