//go:build !amd64

package websocket

// vector does the front of cipher, n bytes.
func vector(dst, src []byte, mask uint32) (n int, seen uint64) { return borrowed(dst, src, mask) }
