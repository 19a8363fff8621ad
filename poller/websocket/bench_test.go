package websocket

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// benchSizes are the payloads measured: both ends of each length encoding, and
// what fits caches and what does not.
var benchSizes = []int{0, 125, 126, 4 << 10, 64 << 10, 1 << 20}

// measure runs f with n bytes a run.
func measure(b *testing.B, name string, n int, f func()) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(n))
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
}

// bySize runs a sub-benchmark for each of the sizes.
func bySize(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) { f(b, n) })
	}
}

// BenchmarkReceive is a frame read, echoed and sent. Its floor is what no echo
// can do without: here the copy that stands for the read.
func BenchmarkReceive(b *testing.B) {
	for name, frame := range map[string]func(string) string{"text": text, "binary": blob} {
		b.Run(name, func(b *testing.B) {
			bySize(b, func(b *testing.B, n int) {
				in := frame(letters(n))
				read := make([]byte, len(in))
				measure(b, "echo", n, echoOnce(b, in, len(echoed(letters(n)))))
				measure(b, "floor", n, func() { copy(read, in) })
			})
		})
	}
}

// BenchmarkMessages is many small messages in one read, whose replies move
// together.
func BenchmarkMessages(b *testing.B) {
	for _, n := range []int{16, 125, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := ""
			for range 64 {
				in += text(letters(n))
			}
			read := make([]byte, len(in))
			measure(b, "echo", 64*n, echoOnce(b, in, 64*len(echoed(letters(n)))))
			measure(b, "floor", 64*n, func() { copy(read, in) })
		})
	}
}

// BenchmarkHeader parses headers of the three lengths. Its floor picks the
// fields out without a check.
func BenchmarkHeader(b *testing.B) {
	for _, n := range []int{125, 126, 64 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := []byte(text(letters(n)))[:14]
			var h ws.Header
			measure(b, "parse", 0, func() {
				if n, err := parseHeader(in, &h, ws.StateServerSide); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			})
			measure(b, "floor", 0, func() {
				h.Fin, h.OpCode, h.Masked = in[0]&0x80 != 0, ws.OpCode(in[0]&15), in[1]&0x80 != 0
				h.Length, h.Mask = int64(in[1]&127), [4]byte(in[2:6])
			})
		})
	}
}

// BenchmarkUnmask unmasks in place, and to the left as a reply is joined to the run,
// beside what ws.Cipher needs for the same. It has two floors: a plain copy, and the
// loop of RFC 6455 §5.3.
func BenchmarkUnmask(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		p, to := []byte(letters(n)), make([]byte, n)
		moved := append(make([]byte, 4, 4+n), p...)
		measure(b, "cipher", n, func() { cipher(p, p, sampleMask, 0) })
		measure(b, "moved", n, func() { cipher(moved[:n], moved[4:], sampleMask, 0) })
		measure(b, "gobwas", n, func() { ws.Cipher(p, sampleMask, 0) })
		measure(b, "gobwas-moved", n, func() { copy(moved[:n], moved[4:]); ws.Cipher(moved[:n], sampleMask, 0) })
		measure(b, "floor", n, func() { copy(to, p) })
		measure(b, "naive", n, func() {
			for i := range p {
				p[i] ^= sampleMask[i%4]
			}
		})
	})
}

// BenchmarkUTF8 checks text as it arrives, all at once and in 1 KiB pieces. Its
// floors are a plain copy and the library's check of the whole.
func BenchmarkUTF8(b *testing.B) {
	for name, alphabet := range map[string]string{"ascii": letters(1 << 20), "greek": strings.Repeat(greek, 1<<20/len(greek)+1)} {
		b.Run(name, func(b *testing.B) {
			bySize(b, func(b *testing.B, n int) {
				p, to := []byte(alphabet[:n]), make([]byte, n)
				check := func(step int) {
					var w Work
					for at := step; at < n; at += step {
						_ = w.check(p[:at], false)
					}
					_ = w.check(p, true)
				}
				measure(b, "whole", n, func() { check(n + 1) })
				measure(b, "pieces", n, func() { check(1 << 10) })
				measure(b, "floor", n, func() { copy(to, p) })
				measure(b, "valid", n, func() { utf8.Valid(p) })
			})
		})
	}
}

// BenchmarkAppendFrame makes a server's frame. Its floor appends the payload.
func BenchmarkAppendFrame(b *testing.B) {
	bySize(b, func(b *testing.B, n int) {
		p, dst := []byte(letters(n)), make([]byte, 0, n+headroom)
		measure(b, "frame", n, func() { dst = AppendFrame(dst[:0], ws.OpText, p) })
		measure(b, "floor", n, func() { dst = append(dst[:0], p...) })
	})
}

// BenchmarkRoute finds a path among a hundred. Its floor is a look into a map.
func BenchmarkRoute(b *testing.B) {
	table := map[string]Route{"/status/{code}": {Message: echoBack}, "/files/{rest...}": {Message: echoBack}}
	plain := make(map[string]int)
	for i := range 100 {
		table[fmt.Sprintf("/route/%d", i)] = Route{Message: echoBack}
		plain[fmt.Sprintf("/route/%d", i)] = i
	}
	routes := mustCompile(b, table)
	for name, path := range map[string]string{
		"exact": "/route/50", "parameter": "/status/404", "rest": "/files/a/b/c", "none": "/nowhere",
	} {
		p := []byte(path)
		measure(b, name, 0, func() { routes.find(p) })
	}
	measure(b, "floor", 0, func() { _ = plain["/route/50"] })
}
