package websocket

import "golang.org/x/sys/cpu"

// hasAVX2 is a variable so that a test can do without.
var hasAVX2 = cpu.X86.HasAVX2

// cipherAVX2 is cipher for n bytes, a multiple of 32 and not 0. top is not 0 where
// there are top bits in dst.
//
//go:noescape
func cipherAVX2(dst, src *byte, n int, mask uint32) (top uint32)

// vector does the front of cipher, n bytes, with AVX2.
func vector(dst, src []byte, mask uint32) (n int, seen uint64) {
	if !hasAVX2 {
		return borrowed(dst, src, mask)
	}
	if n = len(dst) &^ 31; n > 0 && cipherAVX2(&dst[0], &src[0], n, mask) != 0 {
		seen = topBits
	}
	return n, seen
}
