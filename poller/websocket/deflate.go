package websocket

import (
	"bytes"
	"fmt"
	"io"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"
)

// This file is what permessage-deflate (RFC 7692) is set to, and what we send by
// it; deflate_receive.go is what we get, deflate_offer.go the handshake. Neither
// side takes its context over from message to message, so a loop needs one
// compressor and one decompressor, and a connection none.

// Compression is whether a Route agrees on permessage-deflate.
type Compression uint8

// The values of Route.Compression.
const (
	CompressionDefault Compression = iota // as Deflate.On says
	CompressionOn
	CompressionOff
)

// Deflate is what a table of routes does about permessage-deflate (RFC 7692).
type Deflate struct {
	// On has routes agree on it that do not say themselves.
	On bool
	// Level is 1, the fastest, to 9, the smallest output. It is not for long
	// messages to clients that ask for a window below 32 KiB: those get what is
	// about level 5.
	Level int
	// Threshold is the shortest message in bytes that is sent compressed.
	Threshold int
}

// DefaultDeflate is what holds for a table that Routes.Deflate was not called
// for: it is off. A shorter message than its Threshold gains some tens of bytes,
// and costs as much as one of a kilobyte.
func DefaultDeflate() Deflate { return Deflate{Level: flate.BestSpeed, Threshold: 256} }

// Deflate is the table with d for all its routes. A connection keeps what it was
// upgraded with but for Level and Threshold, which change at once.
func (t *Routes) Deflate(d Deflate) (*Routes, error) {
	if d.Level < flate.BestSpeed || d.Level > flate.BestCompression {
		return nil, fmt.Errorf("websocket: compression level %d is not from 1 to 9", d.Level)
	}
	if d.Threshold < 0 {
		return nil, fmt.Errorf("websocket: compression threshold %d is negative", d.Threshold)
	}
	u := *t
	u.deflate = d
	return &u, nil
}

const (
	rsv1       = 4                      // of ws.Header.Rsv
	rsv1Bit    = rsv1 << 4              // of a frame's first byte
	opDeflated = ws.OpCode(rsv1Bit)     // beside an opcode: RSV1 comes, or goes, with it
	flushed    = "\x00\x00\xff\xff"     // how a flush ends, which does not travel (RFC 7692 §7.2.1)
	lastBlock  = "\x01\x00\x00\xff\xff" // an empty final block: where a reader of blocks stops
	windowMost = 15                     // the base-2 logarithm of DEFLATE's own window
)

// A deflate is what all connections of a loop compress and decompress with. Its
// parts are made when they are first needed: a compressor has a megabyte or
// more, and a decompressor 40 KB.
type deflate struct {
	level   int
	writers [windowMost + 1]*flate.Writer // by the logarithm of the window that they keep to
	out     []byte                        // what a writer writes to
	reader  io.ReadCloser
	into    []byte       // what it is inflating into; nil: it is not
	in      bytes.Reader // what the reader reads: of this type, without a call for each byte
}

// Write takes what a compressor has ready.
func (d *deflate) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// compress sends p compressed; false: it is to be sent as it is, because that was
// not agreed on, or it is short, or would not become shorter (RFC 7692 §6.1
// leaves that to us for each message).
func (c *Conn) compress(op ws.OpCode, p []byte) bool {
	window := c.st.window()
	if window == 0 || op.IsControl() || len(p) < c.routes.deflate.Threshold {
		return false
	}
	d, gap := &c.deflate, headerLen(len(p))
	b := c.spillRoom(gap + deflateRoom(len(p)))
	at := len(b)
	d.out = b[:at+gap]
	d.run(window, c.routes.deflate.Level, p)
	b, d.out = d.out, nil
	c.out = b[:at]
	n := len(b) - at - gap - len(flushed)
	if n >= len(p) {
		return false
	}
	if short := headerLen(n); short < gap {
		copy(b[at+short:], b[at+gap:at+gap+n])
		gap = short
	}
	putHeader(b[at:], op|opDeflated, n)
	c.out = b[:at+gap+n]
	return true
}

// deflateRoom is what n bytes that do not compress come to, flushed: each block
// that is stored has five bytes, and none of the library's is of less than 16 KiB
// but a message's last.
func deflateRoom(n int) int { return n + n>>10 + 16 }

// run writes p, compressed and flushed, to d. All of a message that fits a window
// keeps to it whatever the compressor's own is.
func (d *deflate) run(window, level int, p []byte) {
	if len(p) <= 1<<window {
		window = windowMost
	}
	if d.level != level {
		d.level, d.writers[windowMost] = level, nil
	}
	w := d.writers[window]
	if w == nil {
		w = newWriter(window, level)
		d.writers[window] = w
	}
	w.Reset(d)
	_, err := w.Write(p)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic("websocket: internal error: " + err.Error()) // d.Write returns none
	}
}

// newWriter is one of klauspost/compress, which is faster than the standard
// library's at every level and can keep to a window (see BenchmarkDeflate).
func newWriter(window, level int) *flate.Writer {
	var w *flate.Writer
	var err error
	if window == windowMost {
		w, err = flate.NewWriter(nil, level)
	} else {
		w, err = flate.NewWriterWindow(nil, 1<<window)
	}
	if err != nil {
		panic("websocket: internal error: " + err.Error())
	}
	return w
}

// spillRoom is spill with room for n more bytes, in memory of the Loop: what is
// compressed is not known beforehand, and would outgrow it.
func (c *Conn) spillRoom(n int) []byte {
	run := c.buf[c.runAt:c.runEnd]
	if cap(c.out)-len(c.out) >= n+len(run) {
		return c.spill()
	}
	b := c.loop.Alloc(len(c.out) + len(run) + n)
	b = append(append(b, c.out...), run...)
	c.loop.Free(c.lent)
	c.out, c.lent = b, b
	c.runAt, c.runEnd = 0, 0
	return b
}
