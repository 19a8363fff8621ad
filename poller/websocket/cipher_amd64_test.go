package websocket

import "testing"

// TestWithoutAVX2: a processor without it is served all the same.
func TestWithoutAVX2(t *testing.T) {
	was := hasAVX2
	defer func() { hasAVX2 = was }()
	hasAVX2 = false
	TestCipherElsewhere(t)
	if n, seen := vector(make([]byte, 100), make([]byte, 100), 0); n != 100 || seen != topBits {
		t.Errorf("%d bytes, seen %#x", n, seen)
	}
}
