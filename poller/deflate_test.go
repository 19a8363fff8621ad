package poller

import (
	"bytes"
	"compress/flate"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// deflating agrees on permessage-deflate.
var deflating = websocket.Route{Message: echoing.Message, Compression: websocket.CompressionOn}

// offering is a request that offers it.
func offering(path string) []byte {
	return []byte(strings.Replace(request(path), "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1))
}

// deflate makes a WebSocket of the connection whose messages may be compressed.
func (c *client) deflate(path string) *client {
	c.t.Helper()
	c.write(offering(path))
	return c.upgraded()
}

// packed is p as it travels compressed (RFC 7692 §7.2.1).
func packed(p string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte(p))
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// packedFrame is a compressed binary message.
func packedFrame(p []byte) []byte {
	b := masked(ws.OpBinary, p, true)
	b[0] |= 0x40 // RSV1
	return b
}

// bomb is a message of nearly 1 MiB that inflates to nearly 1 GiB: blocks of a
// MiB of zeros, each with the end of its flush.
var bomb = sync.OnceValue(func() []byte {
	block := append(packed(strings.Repeat("\x00", 1<<20)), "\x00\x00\xff\xff"...)
	return packedFrame(bytes.Repeat(block, (1<<20-1)/len(block)))
})

// playBombs: limits.md T4.
func playBombs(p *process, n int) {
	for range n {
		c := p.connect().deflate("/deflate")
		c.write(bomb())
		c.wantClose(1009)
		c.wantEOF()
		_ = c.Close()
	}
}

// brokenStreams are payloads that do not inflate.
var brokenStreams = []string{
	"",                          // not even the end of a block
	"\xff",                      // a block of no type that there is
	"\xf2\x48\xcd\xc9",          // truncated
	"\x00\x05\x00\xfa\xfeHello", // a stored block whose length is not what it says
	"\xf2\x00\x11\x00\x00",      // what it refers to was in the message before
}

// playBrokenStreams: limits.md T5.
func playBrokenStreams(p *process, n int) {
	for i := range n {
		c := p.connect().deflate("/deflate")
		c.write(packedFrame([]byte(brokenStreams[i%len(brokenStreams)])))
		c.wantClose(1007)
		c.wantEOF()
		_ = c.Close()
	}
}

// What a connection that agreed on compression costs while it is idle is what any
// other does: nothing but its place.
func TestIdleCompressedHoldsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": deflating}, nil)
	const n = 50
	var clients []*client
	for range n {
		c := s.connect().deflate("/")
		c.write(packedFrame(packed(strings.Repeat("a message ", 2000))))
		clients = append(clients, c)
	}
	for _, c := range clients {
		h, err := ws.ReadHeader(c.r)
		if err != nil || h.Rsv != 4 || h.Length > 2000 {
			t.Fatalf("got header %+v, %v, want a compressed message", h, err)
		}
	}
	s.until("idle", func(got Stats) bool { return got.Busy == 0 && got.Buffered == 0 })
	if got := s.Stats(); got.Connections != n || got.Wire.Out[ws.OpBinary] != (websocket.Flow{Frames: n, Bytes: n * 20_000}) {
		t.Errorf("got %d connections, sent %+v", got.Connections, got.Wire.Out)
	}
	leave(clients)
}

// A large compressed message comes through Room, in pieces, and counts among the
// buffers until it is whole.
func TestLargeCompressedMessage(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": deflating}, nil)
	p := make([]byte, 600_000)
	for i := range p {
		p[i] = byte(i*i>>7 ^ i>>3*7919)
	}
	z := packedFrame(packed(string(p)))
	if len(z) < 100_000 {
		t.Fatalf("%d bytes are no large frame", len(z))
	}
	c := s.connect().deflate("/")
	c.write(z[:len(z)-1])
	s.until("under way", func(got Stats) bool { return got.Buffered > len(z)/2 })
	c.write(z[len(z)-1:])
	h, err := ws.ReadHeader(c.r)
	if err != nil || h.Rsv != 4 || h.OpCode != ws.OpBinary {
		t.Fatalf("got header %+v, %v", h, err)
	}
	c.reset()
	s.wantClosed(websocket.CauseReset, 1)
}

// A push through a Handle is compressed as a reply is.
func TestPushIsCompressed(t *testing.T) {
	t.Parallel()
	handles := make(chan websocket.Handle, 1)
	pushed := deflating
	pushed.Open = func(c *websocket.Conn) error { handles <- c.Handle(); return nil }
	s := start(t, map[string]websocket.Route{"/": pushed}, nil)
	c := s.connect().deflate("/")
	if err := receive(t, handles).Send(ws.OpText, []byte(strings.Repeat("news ", 1000))); err != nil {
		t.Fatal(err)
	}
	if h, err := ws.ReadHeader(c.r); err != nil || h.Rsv != 4 || h.OpCode != ws.OpText || h.Length > 500 {
		t.Errorf("got header %+v, %v, want a compressed text", h, err)
	}
	c.reset()
}
