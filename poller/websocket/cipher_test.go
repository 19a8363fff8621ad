package websocket

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// ciphers are all ways to do the same.
var ciphers = map[string]func(dst, src []byte, key [4]byte, at int) uint64{
	"cipher": cipher,
	"borrowed": func(dst, src []byte, key [4]byte, at int) uint64 {
		n, seen := borrowed(dst, src, turned(key, at))
		return seen | shift(dst[n:], src[n:], turned(key, at))
	},
	"shift": func(dst, src []byte, key [4]byte, at int) uint64 { return shift(dst, src, turned(key, at)) },
}

// turned is the key from byte at of the payload on.
func turned(key [4]byte, at int) (mask uint32) {
	for i := range 4 {
		mask |= uint32(key[(at+i)&3]) << (8 * i)
	}
	return mask
}

// TestCipher: whatever the length, the place in the payload and where it goes, each
// byte is what RFC 6455 §5.3 says, none beside it is touched, and nothing that is not
// ASCII is taken for it.
func TestCipher(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	rnd := rand.New(rand.NewPCG(1, 2))
	lengths := []int{1000, chunk - 1, chunk, chunk + 129, 3*chunk + 77}
	for n := range 300 {
		lengths = append(lengths, n)
	}
	for name, f := range ciphers {
		for _, n := range lengths {
			for move := range 17 {
				at, wide := rnd.IntN(1000), -1
				plain := make([]byte, n)
				for i := range plain {
					plain[i] = byte(rnd.UintN(0x80))
				}
				if n > 0 && move%2 == 0 {
					wide = rnd.IntN(n)
					plain[wide] |= 0x80
				}
				memory := bytes.Repeat([]byte{0xee}, 16+n+16)
				src := memory[16 : 16+n]
				for i := range src {
					src[i] = plain[i] ^ key[(at+i)&3]
				}
				after := bytes.Clone(memory[16+n:])
				dst := memory[16-move:][:n]
				seen := f(dst, src, key, at)
				if !bytes.Equal(dst, plain) {
					t.Fatalf("%s: %d bytes from byte %d on, moved by %d, differ", name, n, at, move)
				}
				if !bytes.Equal(memory[16+n:], after) || bytes.Count(memory[:16-move], []byte{0xee}) != 16-move {
					t.Fatalf("%s: %d bytes, moved by %d: others were written to", name, n, move)
				}
				if wide >= 0 && seen&topBits == 0 {
					t.Fatalf("%s: %d bytes with %#x at %d are taken for ASCII", name, n, plain[wide], wide)
				}
				if wide < 0 && seen&topBits != 0 && name != "borrowed" {
					t.Fatalf("%s: %d bytes of ASCII are not seen to be that", name, n)
				}
			}
		}
	}
}

// TestCipherElsewhere: from memory of its own to another.
func TestCipherElsewhere(t *testing.T) {
	key := [4]byte{1, 2, 3, 0x84}
	for _, n := range []int{0, 31, 32, 33, 128, 5000} {
		src, dst := []byte(letters(n)), make([]byte, n)
		cipher(dst, src, key, 3)
		for i := range dst {
			if dst[i] != letters(n)[i]^key[(3+i)&3] || src[i] != letters(n)[i] {
				t.Fatalf("byte %d of %d is %#x, of the source %#x", i, n, dst[i], src[i])
			}
		}
	}
}
