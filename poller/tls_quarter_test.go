package poller

import (
	"bytes"
	"slices"
	"testing"
)

// A hello is cut in four records that hold the same, with what stands behind it
// left as it is; what is no hello that pays for it is left alone.
func TestTLSQuarters(t *testing.T) {
	t.Parallel()
	l := still(t, nil)
	hello := func(n int) []byte {
		p := []byte{recordHandshake, 3, 1, byte(n >> 8), byte(n)}
		for i := range n {
			p = append(p, byte(i))
		}
		return p
	}
	quarter := func(p []byte) []byte { return l.quarter(append(l.Alloc(len(p)), p...)) }
	for _, n := range []int{quarteredLeast, quarteredLeast + 1, 1517, 1518, 1519, quarteredMost} {
		for _, behind := range []string{"", "\x14", "\x14\x03\x03\x00\x01\x01"} {
			whole := hello(n)
			got := quarter(append(slices.Clone(whole), behind...))
			var parts [][]byte
			for len(parts) < 4 && record(got) > 0 {
				k := record(got)
				if !bytes.Equal(got[:3], whole[:3]) || k-recordHeader > (n+3)/4 {
					t.Fatalf("%d bytes: got a record that begins with %x", n, got[:recordHeader])
				}
				parts, got = append(parts, got[recordHeader:k]), got[k:]
			}
			if len(parts) != 4 || !bytes.Equal(slices.Concat(parts...), whole[recordHeader:]) || string(got) != behind {
				t.Errorf("%d bytes: got %d records with %x behind them, want the same in 4, and %x", n, len(parts), got, behind)
			}
		}
	}
	for _, p := range [][]byte{
		hello(quarteredLeast - 1),
		hello(quarteredMost + 1),
		hello(1 << 14),
		hello(0),
		hello(1000)[:900],
		append([]byte{recordHandshake, 3, 1, 0xff, 0xff}, make([]byte, 1000)...),
		append([]byte{recordHandshake, 2, 1, 0x03, 0xe8}, make([]byte, 1100)...),
	} {
		if got := quarter(p); !bytes.Equal(got, p) {
			t.Errorf("%x… of %d bytes became %x… of %d", p[:recordHeader], len(p), got[:recordHeader], len(got))
		}
	}
}
