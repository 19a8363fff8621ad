package websocket

import (
	"bytes"
	stdlib "compress/flate"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/flate"
)

// deflater is what both libraries' compressors are.
type deflater interface {
	io.Writer
	Flush() error
	Reset(io.Writer)
}

// BenchmarkDeflate compresses a JSON message with a new context each time, with
// the library that is used and the standard one, which has no bound for the
// window: size is what becomes of it.
func BenchmarkDeflate(b *testing.B) {
	compress := func(b *testing.B, name string, p []byte, w deflater, err error) {
		if err != nil {
			b.Fatal(err)
		}
		var d deflate
		measure(b, name, len(p), func() {
			d.out = d.out[:0]
			w.Reset(&d)
			_, _ = w.Write(p)
			_ = w.Flush()
		})
		b.Logf("%s: %d bytes become %d", name, len(p), len(d.out))
	}
	for _, n := range []int{256, 1 << 10, 16 << 10} {
		p := []byte(json(n, 1))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for _, level := range []int{1, 2, 6, 9} {
				w, err := flate.NewWriter(nil, level)
				compress(b, fmt.Sprint("klauspost/", level), p, w, err)
				s, err := stdlib.NewWriter(nil, level)
				compress(b, fmt.Sprint("stdlib/", level), p, s, err)
			}
			for _, window := range []int{9, 12} {
				w, err := flate.NewWriterWindow(nil, 1<<window)
				compress(b, fmt.Sprint("klauspost/window ", window), p, w, err)
			}
			w, err := flate.NewWriter(nil, flate.ConstantCompression)
			compress(b, "klauspost/Huffman alone", p, w, err)
			compress(b, "klauspost/stateless", p, &stateless{}, nil)
		})
	}
}

// stateless keeps no table between messages, and clears a small one for each.
type stateless struct{ to io.Writer }

func (s *stateless) Reset(to io.Writer) { s.to = to }
func (s *stateless) Flush() error       { return nil }
func (s *stateless) Write(p []byte) (int, error) {
	return len(p), flate.StatelessDeflate(s.to, p, false, nil)
}

// BenchmarkInflate is the other way. The library that is used has a loop for
// readers of bytes, in which it does not ask for each by a method.
func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{256, 1 << 10, 16 << 10} {
		z, to := []byte(packed(json(n, 1))), make([]byte, n+1)
		type byteReader struct{ *bytes.Reader } // which is not known to be one
		var src bytes.Reader
		inflate := func(name string, r io.ReadCloser, from io.Reader) {
			measure(b, fmt.Sprintf("%d/%s", n, name), n, func() {
				src.Reset(z)
				_ = r.(flate.Resetter).Reset(from, nil)
				if k, err := io.ReadFull(r, to); k != n || err != io.ErrUnexpectedEOF {
					b.Fatal(k, err)
				}
			})
		}
		inflate("klauspost", flate.NewReader(nil), &src)
		inflate("klauspost, any reader", flate.NewReader(nil), &byteReader{&src})
		inflate("stdlib", stdlib.NewReader(nil), &src)
	}
}

// BenchmarkEchoCompressed is a compressed JSON message read, echoed and sent. Its
// floor is what no such echo can do without: the same bytes inflated and deflated.
func BenchmarkEchoCompressed(b *testing.B) {
	for _, n := range []int{256, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in, z, to := []byte(packedText(json(n, 1))), []byte(packed(json(n, 1))), make([]byte, n+1)
			echo := echoCompressed(b, in)
			measure(b, "echo", n, echo)
			r, w := flate.NewReader(nil), newWriter(windowMost, flate.BestSpeed)
			var src bytes.Reader
			var d deflate
			measure(b, "floor", n, func() {
				src.Reset(z)
				_ = r.(flate.Resetter).Reset(&src, nil)
				_, _ = io.ReadFull(r, to[:n])
				d.out = d.out[:0]
				w.Reset(&d)
				_, _ = w.Write(to[:n])
				_ = w.Flush()
			})
		})
	}
}

// echoCompressed makes a function that has a connection that agreed on compression
// read and echo in.
func echoCompressed(tb testing.TB, in []byte) func() {
	tb.Helper()
	l := &pooledLoop{}
	c := NewConn(l, mustCompile(tb, map[string]Route{"/echo": {Message: echoBack, Compression: CompressionOn}}))
	var st State
	c.Bind(1, &st, nil)
	if _, _, err := c.Receive([]byte(wsHead("/echo", "Sec-WebSocket-Extensions: permessage-deflate"))); err != nil || !st.Compressed() {
		tb.Fatal(err)
	}
	c.Sent()
	read := make([]byte, len(in))
	return func() {
		copy(read, in)
		c.Bind(1, &st, nil)
		n, out, err := c.Receive(read)
		if n != len(in) || len(out) == 0 || out[0]&rsv1Bit == 0 || err != nil {
			tb.Fatal(n, len(out), err)
		}
		c.Sent()
	}
}

// pooledLoop keeps the buffers that it has handed out.
type pooledLoop struct {
	fakeLoop
	free [][]byte
}

func (l *pooledLoop) Alloc(n int) []byte {
	for i, b := range l.free {
		if cap(b) >= n {
			l.free = append(l.free[:i], l.free[i+1:]...)
			return b[:0]
		}
	}
	return make([]byte, 0, 2*n)
}

func (l *pooledLoop) Free(b []byte) {
	if cap(b) > 0 {
		l.free = append(l.free, b)
	}
}
