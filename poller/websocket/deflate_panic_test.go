package websocket

import (
	"errors"
	"io"
	"testing"

	"github.com/gobwas/ws"
)

// panicking is a decompressor that fails in its own way, behind some output.
type panicking struct{ reads int }

func (*panicking) Reset(io.Reader, []byte) error { return nil }
func (*panicking) Close() error                  { return nil }
func (r *panicking) Read(p []byte) (int, error) {
	if r.reads++; r.reads > 2 {
		panic("by request")
	}
	return len(p), nil
}

// A decompressor that panics costs its connection, and nothing stays: not the
// message, nor what it was inflated into. The next message gets another one.
func TestInflatorPanics(t *testing.T) {
	for _, in := range []string{packedText(letters(1000)), split(0x41, packed(letters(100_000)), 5000)} {
		p := deflating(t, Route{Message: echoBack})
		p.deflate.reader = new(panicking)
		p.feed([]byte(in))
		if got := closeFor(p.err); got.Cause != CausePanic || p.loop.buffers != 0 || p.deflate.reader != nil {
			t.Errorf("got %v, %d buffers are held, decompressor %v", p.err, p.loop.buffers, p.deflate.reader)
		}
		p.end(t, ErrEOF)
	}
}

// A handler that fails while it has an inflated message leaves nothing behind.
func TestDeflatePanic(t *testing.T) {
	for name, message := range map[string]func(*Conn, ws.OpCode, []byte) error{
		"panic": func(*Conn, ws.OpCode, []byte) error { panic("x") },
		"error": func(*Conn, ws.OpCode, []byte) error { return errors.New("x") },
		"use": func(c *Conn, _ ws.OpCode, p []byte) error { // a plain Route on a compressed connection
			c.Use(&Route{Message: echoBack})
			return firstOf(c.Send(ws.OpBinary, p), errors.New("x"))
		},
	} {
		for _, in := range []string{packedText(letters(10_000)), split(0x41, packed(letters(100_000)), 5000)} {
			p := deflating(t, Route{Message: message})
			p.feed([]byte(in))
			if got := closeFor(p.err).Code; got != 1011 || p.loop.buffers != 0 {
				t.Errorf("%s: got %v, %d buffers are held", name, p.err, p.loop.buffers)
			}
			p.got(t)
			p.end(t, ErrEOF)
		}
	}
}
