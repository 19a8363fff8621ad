package websocket

import (
	"encoding/binary"
	"math/bits"

	"github.com/gobwas/ws"
)

// topBits are those of eight bytes; ASCII has none.
const topBits = 0x8080808080808080

// cipher unmasks src, which lies at bytes into its payload, into dst, which is as
// long and begins at the same byte, to the left of it, or in memory of its own
// (RFC 6455 §5.3). One pass moves, unmasks and looks: where there are no top bits in
// what it returns, dst is ASCII.
//
// The vector code for that is ours because ws.Cipher works in place: a copy before
// and a look behind it cost the server 4 to 6 % with messages of 16 KiB and more
// (bench/results has the record).
func cipher(dst, src []byte, key [4]byte, at int) (seen uint64) {
	mask := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(at&3))
	n, seen := vector(dst, src, mask)
	return seen | shift(dst[n:], src[n:], mask)
}

// borrowed is vector where there is none of ours: ws.Cipher has some for ARM, too.
// Nobody has looked then.
func borrowed(dst, src []byte, mask uint32) (n int, seen uint64) {
	copy(dst, src)
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], mask)
	ws.Cipher(dst, key, 0)
	return len(dst), topBits
}

// shift is cipher for what is short. mask is the key in the order of its bytes,
// for the first byte of src.
func shift(dst, src []byte, mask uint32) (seen uint64) {
	wide := uint64(mask)<<32 | uint64(mask)
	// What is stored over has been loaded: dst overlaps src from the left.
	for len(src) >= 32 && len(dst) >= 32 {
		a := binary.LittleEndian.Uint64(src) ^ wide
		b := binary.LittleEndian.Uint64(src[8:]) ^ wide
		c := binary.LittleEndian.Uint64(src[16:]) ^ wide
		d := binary.LittleEndian.Uint64(src[24:]) ^ wide
		binary.LittleEndian.PutUint64(dst, a)
		binary.LittleEndian.PutUint64(dst[8:], b)
		binary.LittleEndian.PutUint64(dst[16:], c)
		binary.LittleEndian.PutUint64(dst[24:], d)
		seen |= a | b | c | d
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		a := binary.LittleEndian.Uint64(src) ^ wide
		binary.LittleEndian.PutUint64(dst, a)
		seen |= a
		src, dst = src[8:], dst[8:]
	}
	if len(src) >= 4 && len(dst) >= 4 {
		a := binary.LittleEndian.Uint32(src) ^ mask
		binary.LittleEndian.PutUint32(dst, a)
		seen |= uint64(a)
		src, dst = src[4:], dst[4:]
	}
	for i := range src { // at most 3
		b := src[i] ^ byte(mask)
		dst[i] = b
		mask >>= 8
		seen |= uint64(b)
	}
	return seen
}
