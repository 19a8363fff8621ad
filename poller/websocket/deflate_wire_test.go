package websocket

import (
	"bytes"
	"compress/flate"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// packed is a payload as a client sends it compressed, made by the standard
// library (RFC 7692 §7.2.1).
func packed(p string) string {
	var b bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	_, _ = w.Write([]byte(p))
	_ = w.Flush()
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")))
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err)
	}
	return w
}}

// What a client sends compressed.
func packedText(p string) string { return masked(firstText|rsv1Bit, packed(p)) }
func packedBlob(p string) string { return masked(firstBinary|rsv1Bit, packed(p)) }

// unpacked is what a server has sent with every compressed frame as if it had
// been sent as it is. What is compressed must keep to the window, which is given
// by its logarithm, and be of a message.
func unpacked(t testing.TB, out []byte, window int) []byte {
	t.Helper()
	var plain []byte
	for len(out) > 0 {
		r := bytes.NewReader(out)
		h, err := ws.ReadHeader(r)
		if err != nil || h.Length > int64(r.Len()) {
			t.Fatalf("got header %+v, %v in front of %d bytes", h, err, r.Len())
		}
		end := len(out) - r.Len() + int(h.Length)
		if h.Rsv != rsv1 {
			plain, out = append(plain, out[:end]...), out[end:]
			continue
		}
		if h.OpCode != ws.OpText && h.OpCode != ws.OpBinary || !h.Fin {
			t.Fatalf("got RSV1 on %+v", h)
		}
		p, farthest, err := readDeflate(append(out[end-int(h.Length):end:end], "\x00\x00\xff\xff"...))
		if err != nil || farthest > 1<<window {
			t.Fatalf("got %d bytes from %d, looking back %d: %v", len(p), h.Length, farthest, err)
		}
		plain, out = append(plain, bare(out[0]&^rsv1Bit, string(p))...), out[end:]
	}
	return plain
}

var errDeflated = errors.New("no DEFLATE data")

// A bitReader reads DEFLATE as RFC 1951 draws it: a second reading beside the
// library's, which can tell how far back it looks.
type bitReader struct {
	p        []byte
	at       int // in bits
	out      []byte
	farthest int
}

// readDeflate inflates blocks, none of them final, up to the end of p.
func readDeflate(p []byte) (out []byte, farthest int, err error) {
	r := &bitReader{p: p}
	defer func() {
		if recover() != nil { // read behind the end
			err = errDeflated
		}
	}()
	for r.at < 8*len(p) {
		if r.bits(1) != 0 {
			return nil, 0, errDeflated
		}
		switch r.bits(2) {
		case 0:
			r.stored()
		case 1:
			lengths := slices.Concat(slices.Repeat([]int{8}, 144), slices.Repeat([]int{9}, 112), slices.Repeat([]int{7}, 24), slices.Repeat([]int{8}, 8))
			r.coded(codeOf(lengths), codeOf(slices.Repeat([]int{5}, 30)))
		case 2:
			r.coded(r.codes())
		default:
			return nil, 0, errDeflated
		}
	}
	return r.out, r.farthest, nil
}

func (r *bitReader) bits(n int) (v int) {
	for i := range n {
		v |= int(r.p[r.at/8]>>(r.at%8)&1) << i
		r.at++
	}
	return v
}

// stored is §3.2.4.
func (r *bitReader) stored() {
	r.at = (r.at + 7) &^ 7
	n, not := r.bits(16), r.bits(16)
	if n != not^0xffff {
		panic(errDeflated)
	}
	r.out = append(r.out, r.p[r.at/8:r.at/8+n]...)
	r.at += 8 * n
}

// A code has symbols, and one is added to each, by their codes: a 1 and the code's
// bits, as they come.
type code []uint16

// codeOf is §3.2.2.
func codeOf(lengths []int) code {
	c, next := make(code, 1<<16), 0
	for n := 1; n < 16; n++ {
		next <<= 1
		for symbol, length := range lengths {
			if length == n {
				c[1<<n|next] = uint16(symbol + 1)
				next++
			}
		}
	}
	return c
}

func (r *bitReader) symbol(c code) int {
	for v := 1; v < 1<<16; {
		v = v<<1 | r.bits(1)
		if v < len(c) && c[v] > 0 {
			return int(c[v]) - 1
		}
	}
	panic(errDeflated)
}

// codes is §3.2.7.
func (r *bitReader) codes() (literals, distances code) {
	nl, nd, nc := 257+r.bits(5), 1+r.bits(5), 4+r.bits(4)
	lengths := make([]int, 19)
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nc] {
		lengths[i] = r.bits(3)
	}
	c, all := codeOf(lengths), []int{}
	for len(all) < nl+nd {
		switch s := r.symbol(c); s {
		case 16:
			all = append(all, slices.Repeat(all[len(all)-1:], 3+r.bits(2))...)
		case 17:
			all = append(all, make([]int, 3+r.bits(3))...)
		case 18:
			all = append(all, make([]int, 11+r.bits(7))...)
		default:
			all = append(all, s)
		}
	}
	return codeOf(all[:nl]), codeOf(all[nl:])
}

// coded is §3.2.5.
func (r *bitReader) coded(literals, distances code) {
	for {
		s := r.symbol(literals)
		switch {
		case s < 256:
			r.out = append(r.out, byte(s))
			continue
		case s == 256:
			return
		}
		length := 258
		if s < 285 {
			length = 3 + r.scaled(s-257, 4)
		}
		back := 1 + r.scaled(r.symbol(distances), 2)
		r.farthest = max(r.farthest, back)
		for range length {
			r.out = append(r.out, r.out[len(r.out)-back])
		}
	}
}

// scaled is the number that a symbol and the bits behind it stand for: the first
// 2*step symbols are themselves, then each step of them has one bit more.
func (r *bitReader) scaled(symbol, step int) int {
	if symbol < 2*step {
		return symbol
	}
	extra := symbol/step - 1
	return (step+symbol%step)<<extra + r.bits(extra)
}
