package poller

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// unpacked reads a frame, compressed or of close with 1001.
func (c *client) unpacked() (ws.OpCode, []byte) {
	c.t.Helper()
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	p := make([]byte, h.Length)
	if _, err = io.ReadFull(c.r, p); err != nil {
		c.t.Fatal(err)
	}
	if h.OpCode == ws.OpClose {
		if code, _ := ws.ParseCloseFrameData(p); code != 1001 || h.Rsv != 0 {
			c.t.Fatalf("got %+v with code %d, want 1001", h, code)
		}
		return h.OpCode, nil
	}
	p, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if h.Rsv != 4 || err != nil {
		c.t.Fatalf("got %+v, %v, want a compressed message", h, err)
	}
	return h.OpCode, p
}

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

// What inflates to a thousand times its size does not keep the loop from others,
// however many of its messages one read brings.
func TestInflatingLeavesTurns(t *testing.T) {
	t.Parallel()
	const n = 30
	held, release := make(chan struct{}), make(chan struct{})
	taken := 0 // by the one loop
	s := start(t, map[string]websocket.Route{
		"/hold":  {Message: func(*websocket.Conn, ws.OpCode, []byte) error { close(held); <-release; return nil }},
		"/bombs": {Compression: websocket.CompressionOn, Message: func(*websocket.Conn, ws.OpCode, []byte) error { taken++; return nil }},
		"/taken": {Message: func(c *websocket.Conn, op ws.OpCode, _ []byte) error {
			return c.Send(op, strconv.AppendInt(nil, int64(taken), 10))
		}},
	}, func(c *Config) { c.Loops = 1 })
	bomber, other, holder := s.connect().deflate("/bombs"), s.dial("/taken"), s.dial("/hold")
	holder.text("while all this comes")
	receive(t, held)
	bomber.write(bytes.Repeat(packedFrame(packed(strings.Repeat("\x00", 1<<20))), n))
	other.text("how many?")
	close(release)
	_, p, err := other.read()
	if got, _ := strconv.Atoi(string(p)); err != nil || got > 5 {
		t.Errorf("answered after %s of %d bombs, %v", p, n, err)
	}
	s.until("all taken", func(got Stats) bool { return got.Wire.In[ws.OpBinary].Frames == n && got.Buffered == 0 })
	leave([]*client{bomber, other, holder})
}

// A drain loses no echo of what was taken: those that wait compressed, for a client
// that does not read, come before its 1001.
func TestDrainOfCompressedBacklog(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64
	route := deflating
	route.Message = func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		taken.Add(1)
		return c.Send(op, p)
	}
	s := start(t, map[string]websocket.Route{"/": route}, func(c *Config) { c.Drain = 100 * time.Millisecond })
	c := s.connect().deflate("/")
	var message []byte
	for words := []string{"a backlog ", "of words ", "that ", "comes to ", "less than half "}; len(message) < 30_000; {
		message = append(message, words[rand.IntN(len(words))]...)
	}
	go func() { // sends until it can no longer
		frame := packedFrame(packed(string(message)))
		for {
			if _, err := c.Write(frame); err != nil {
				return
			}
		}
	}()
	s.until("a backlog", func(got Stats) bool { return got.Paused > 0 })
	s.stop()
	got := int64(0)
	for op, p := c.unpacked(); op != ws.OpClose; op, p = c.unpacked() {
		if !bytes.Equal(p, message) {
			t.Fatalf("echo %d has %d bytes, and not those that were sent", got, len(p))
		}
		got++
	}
	if want := taken.Load(); got != want {
		t.Errorf("got %d echoes before the close frame, the handler was given %d messages", got, want)
	}
	c.Close()
	if err := s.wait(); err != nil {
		t.Errorf("got %v from Run, want nil", err)
	}
}
