package websocket

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// deflating is a connection on a route of its own whose client offered
// permessage-deflate.
func deflating(t testing.TB, r Route) *peer {
	t.Helper()
	r.Compression = CompressionOn
	p := upgraded(t, mustCompile(t, map[string]Route{"/echo": r}))
	p.agreed(t, "permessage-deflate")
	return p
}

// got is what the client got since it was asked last, inflated.
func (p *peer) got(t testing.TB) string {
	t.Helper()
	out := unpacked(t, p.out, p.state.window())
	p.out = nil
	return string(out)
}

// An idle connection that negotiated it holds what any other does.
func TestDeflateIdleHoldsNothing(t *testing.T) {
	p := deflating(t, Route{Message: echoBack})
	for _, in := range []string{packedText("x"), split(0x41, packed(letters(100_000)), 9999), packedBlob(letters(200_000)), text("x"), ping("")} {
		for b := range drip([]byte(in), len(in)) {
			p.feed(b)
		}
		if p.feed([]byte("\xc1")); p.work != nil {
			t.Fatalf("for a byte that the mover keeps there is %+v", p.work)
		}
		p.kept = nil
		if p.err != nil || p.work != nil || p.loop.buffers != 0 || len(p.kept) > 0 || p.state.side != 0 {
			t.Fatalf("after %s: %v, %+v, %d buffers", brief([]byte(in)), p.err, p.work, p.loop.buffers)
		}
	}
}

// What a request's flags say is not said of a connection whose window has the
// same bits.
func TestWindowIsNoFlag(t *testing.T) {
	for window := windowLeast; window <= windowMost; window++ {
		s := State{flags: flagServed}
		s.setWindow(window)
		s.flags |= flagUpgraded | flagPaused
		if s.window() != window || !s.Compressed() || s.Served() || s.Refused() || !s.Held() || s.Long() {
			t.Errorf("window %d: %d, served %v, refused %v", window, s.window(), s.Served(), s.Refused())
		}
	}
	s := State{flags: flagServed | flagRefuse}
	if s.Compressed() || s.window() != 0 || !s.Served() || !s.Refused() {
		t.Error("a request is compressed")
	}
	s.setWindow(0)
	s.flags |= flagUpgraded
	if s.Compressed() || s.window() != 0 || s.Served() {
		t.Error("compressed without being negotiated")
	}
}

// Whatever window was agreed on is kept to, by messages of every length.
func TestWindowIsKept(t *testing.T) {
	long := json(150_000, 1) + noise(40_000, 2) + json(150_000, 1)
	best, err := goldenRoutes(t).Deflate(Deflate{Level: 9})
	if err != nil {
		t.Fatal(err)
	}
	for window := windowLeast; window <= windowMost; window++ {
		p := upgraded(t, goldenRoutes(t))
		p.agreed(t, fmt.Sprint("permessage-deflate; server_max_window_bits=", window))
		for _, n := range []int{256, 1 << window, 1<<window + 1, 3<<window + 7, len(long)} {
			p.feed([]byte(packedBlob(long[:min(n, len(long))])))
			if sent := len(p.out); sent > n*9/10 {
				t.Errorf("window %d: %d bytes became %d", window, n, sent)
			}
			if got := p.got(t); got != bare(firstBinary, long[:min(n, len(long))]) { // it looks at the distances
				t.Errorf("window %d: %d bytes came back as %d", window, n, len(got))
			}
		}
		// All that there is to gain, for a level that looks everywhere, lies a little
		// too far back.
		far := noise(1<<window+50, 3)
		far += far[:1<<window/2]
		p = upgraded(t, best)
		p.deflate = deflate{}
		p.agreed(t, fmt.Sprint("permessage-deflate; server_max_window_bits=", window))
		p.feed([]byte(blob(far)))
		if got := p.got(t); got != bare(firstBinary, far) {
			t.Errorf("window %d: what lies too far back came back as %d bytes", window, len(got))
		}
	}
}

// What is short, or would not become shorter, leaves as it is, and control frames
// always do.
func TestThreshold(t *testing.T) {
	table := mustCompile(t, map[string]Route{"/echo": {Message: echoBack, Compression: CompressionOn}})
	for _, threshold := range []int{0, 1, 100, 5000} {
		routes, err := table.Deflate(Deflate{Level: 1, Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		p := upgraded(t, routes)
		p.agreed(t, "permessage-deflate")
		for _, n := range []int{0, 1, 50, 99, 100, 101, 1000, 6000} {
			p.feed([]byte(text(strings.Repeat("a", n))))
			if got, want := p.out[0]&rsv1Bit != 0, n >= threshold && n >= 50; got != want {
				t.Errorf("threshold %d, %d bytes: compressed %v, want %v", threshold, n, got, want)
			}
			if got := p.got(t); got != echoed(strings.Repeat("a", n)) {
				t.Errorf("threshold %d, %d bytes came back as %s", threshold, n, brief([]byte(got)))
			}
		}
		for _, n := range []int{100, 5000, 70_000} {
			p.feed([]byte(packedBlob(noise(n, 1))))
			if want := bare(firstBinary, noise(n, 1)); string(p.out) != want {
				t.Errorf("%d bytes of noise left as %d", n, len(p.out))
			}
			p.out = nil
		}
		p.feed([]byte(ping(strings.Repeat("a", 125))))
		if string(p.out) != ponged(strings.Repeat("a", 125)) {
			t.Errorf("got pong %s", brief(p.out))
		}
	}
}

func TestDeflateSettings(t *testing.T) {
	table := mustCompile(t, map[string]Route{
		"/echo": {Message: echoBack}, "/on": {Message: echoBack, Compression: CompressionOn}, "/off": {Message: echoBack, Compression: CompressionOff},
		"/on/use":  {Compression: CompressionOn, Upgrade: func(c *Conn, _ *Request) error { c.Use(&Route{Message: echoBack}); return nil }},
		"/off/use": {Compression: CompressionOff, Upgrade: func(c *Conn, _ *Request) error { c.Use(&Route{Message: echoBack}); return nil }},
		"/use/on": {Upgrade: func(c *Conn, _ *Request) error {
			c.Use(&Route{Message: echoBack, Compression: CompressionOn})
			return nil
		}},
	})
	for _, bad := range []Deflate{{}, {Level: 10}, {Level: -2}, {Level: 1, Threshold: -1}} {
		if _, err := table.Deflate(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, on := range []bool{false, true} {
		routes, err := table.Deflate(Deflate{On: on, Level: 9})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]bool{"/echo": on, "/on": true, "/off": false, "/on/use": true, "/off/use": false, "/use/on": true} {
			p := newPeer(t, routes.With(3, Limits{}, 0))
			p.feed([]byte(wsHead(path, "Sec-WebSocket-Extensions: permessage-deflate")))
			if p.state.Compressed() != want || strings.Contains(string(p.out), "permessage-deflate") != want {
				t.Errorf("on %v, %s: %q", on, path, p.out)
			}
		}
	}
}

// A new level is that of connections that are there, too.
func TestLevelChanges(t *testing.T) {
	p := deflating(t, Route{Message: echoBack})
	size := func(level int) int {
		routes, err := p.routes.Deflate(Deflate{Level: level})
		if err != nil {
			t.Fatal(err)
		}
		p.Serve(routes)
		p.feed([]byte(blob(prose(60_000, 1))))
		defer p.got(t)
		return len(p.out)
	}
	if fast, best := size(1), size(9); best >= fast || size(1) != fast {
		t.Errorf("level 1 made %d bytes, 9 made %d", fast, best)
	}
}

// T4: a bomb ends its connection when it is over the limit, and takes no more
// memory than a message may; T5 is among the golden conversations.
func TestBomb(t *testing.T) {
	const max = 100_000
	bomb := packed(strings.Repeat("\x00", 64<<20))
	small := packed(strings.Repeat("\x00", max+1)) // what it comes to grows in steps
	for name, in := range map[string]string{
		"whole": masked(0xc2, bomb), "fragments": split(0x42, bomb, 1000), "text": masked(0xc1, bomb),
		"small":     masked(0xc2, small),
		"by a byte": packedBlob(letters(max + 1)),
	} {
		p := deflating(t, Route{Message: echoBack, Limits: Limits{MaxMessage: max}})
		p.feed([]byte(in))
		if e := closeFor(p.err); e != ErrMessageTooBig || p.state.Messages != 0 {
			t.Errorf("%s: got %v, %d messages", name, p.err, p.state.Messages)
		}
		if p.loop.alloced > 5*max || p.loop.largest > max+deflateOverhead(max)+headroom+len(blockEnds) {
			t.Errorf("%s: %d bytes of memory were asked for, %d at once", name, p.loop.alloced, p.loop.largest)
		}
		p.end(t, ErrMessageTooBig)
	}
	p := deflating(t, Route{Message: echoBack, Limits: Limits{MaxMessage: max}})
	p.feed([]byte(packedBlob(letters(max)) + packedBlob(noise(max, 1))))
	if got := p.got(t); got != bare(firstBinary, letters(max))+bare(firstBinary, noise(max, 1)) {
		t.Errorf("at the limit: got %d bytes, %v", len(got), p.err)
	}
}

// What is too long compressed is refused by its header, and what is sent in many
// fragments moves in memory as seldom as any message.
func TestLongCompressed(t *testing.T) {
	const max = 100_000
	p := deflating(t, Route{Message: echoBack, Limits: Limits{MaxMessage: max, MaxFragments: -1}})
	header := masked(0xc2, letters(max+deflateOverhead(max)+1))[:14]
	p.feed([]byte(header))
	if closeFor(p.err) != ErrMessageTooBig {
		t.Errorf("got %v", p.err)
	}
	for _, n := range []int{8, 1000} { // of the frame's bytes are there, which is short
		p = deflating(t, Route{Message: echoBack, Limits: Limits{MaxMessage: 100}})
		p.feed([]byte(masked(0xc2, letters(100+deflateOverhead(100)+1))[:min(n, 100+deflateOverhead(100)+1+8)]))
		if closeFor(p.err) != ErrMessageTooBig {
			t.Errorf("%d bytes of a short one: got %v", n, p.err)
		}
	}
	p = deflating(t, Route{Message: echoBack, Limits: Limits{MaxMessage: max}})
	p.feed([]byte(masked(0x42, letters(max+deflateOverhead(max))) + middle("")))
	if p.err != nil {
		t.Errorf("at the limit in fragments: got %v", p.err)
	}
	if p.feed([]byte(middle("x")[:6])); closeFor(p.err) != ErrMessageTooBig {
		t.Errorf("above it in fragments: got %v", p.err)
	}
	p = deflating(t, Route{Message: echoBack, Limits: Limits{MaxMessage: max, MaxFragments: -1}})
	p.feed([]byte(split(0x42, letters(max+deflateOverhead(max)), 1)))
	if closeFor(p.err) != ErrDeflate || p.loop.alloced > 8*max {
		t.Errorf("got %v, %d bytes of memory were asked for", p.err, p.loop.alloced)
	}
}

// A message of several final blocks goes on with the window that it has by then,
// which is the end of what has come (RFC 7692 §7.2.3.4).
func TestFinalBlocksShareTheWindow(t *testing.T) {
	first := noise(50_000, 1)
	var z bytes.Buffer
	w, err := flate.NewWriter(&z, flate.BestCompression)
	_, _ = w.Write([]byte(first))
	if err = firstOf(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	own := z.Len()
	w, err = flate.NewWriterDict(&z, flate.BestCompression, []byte(first))
	_, _ = w.Write([]byte(first[49_000:] + first[20_000:21_000]))
	if err = firstOf(err, w.Flush()); err != nil || z.Len()-own > 500 {
		t.Fatalf("%d bytes do not look back, %v", z.Len()-own, err)
	}
	p := deflating(t, Route{Message: echoBack})
	p.feed([]byte(masked(firstBinary|rsv1Bit, strings.TrimSuffix(z.String(), flushed))))
	if got, want := p.got(t), bare(firstBinary, first+first[49_000:]+first[20_000:21_000]); got != want {
		t.Errorf("got %s, %v", brief([]byte(got)), p.err)
	}
}

// Messages of a kilobyte that are half a megabyte each are taken a turn at a time,
// whoever reads them, and what is not compressed among them is not counted.
func TestInflatingTakesTurns(t *testing.T) {
	taken := 0
	p := deflating(t, Route{Message: func(*Conn, ws.OpCode, []byte) error { taken++; return nil }})
	half := packedBlob(strings.Repeat("\x00", turnInflated/2))
	in := []byte(half + text("a") + half + half + half + half)
	for _, want := range []int{3, 5, 6} {
		n, _, err := p.Receive(in)
		if in = in[n:]; err != nil || taken != want || p.Stopped() != (len(in) > 0) {
			t.Fatalf("%d messages were taken, %v, stopped %v, want %d", taken, err, p.Stopped(), want)
		}
		p.rest()
	}
	for range 2 { // what one connection has had is not held against it later, nor against others
		if p.feed([]byte(text("a"))); p.Stopped() {
			t.Fatal("stopped in its next turn")
		}
	}
}

// After our close frame compressed messages are dropped as any are, until the
// peer's comes.
func TestCompressedAfterClose(t *testing.T) {
	p := deflating(t, Route{Message: func(c *Conn, op ws.OpCode, p []byte) error {
		return firstOf(c.Send(op, p), CloseError{Code: 4000})
	}})
	p.feed([]byte(packedText("one") + packedText("two") + masked(0x42, "\xff\xff") + ping("") + last("\xff") + closes(4000, "")))
	e := closeFor(p.err)
	if got := p.got(t); got != echoed("one")+closed(4000, "") || !e.Peer {
		t.Errorf("got %s, %v", brief([]byte(got)), p.err)
	}
}

// Hooks see messages as they are; what they send is compressed, and Wire sees the
// bytes that came.
func TestDeflateHooks(t *testing.T) {
	var wire bytes.Buffer
	var sent []string
	long := json(1000, 1)
	p := deflating(t, Route{
		Message: echoBack,
		Wire: func(_ *Conn, b []byte) (int, error) {
			wire.Write(b)
			return len(b), nil
		},
		Sending: func(c *Conn, op ws.OpCode, p []byte) error {
			sent = append(sent, string(p))
			return firstOf(c.Send(op, p), c.Pass(op, p))
		},
		Closing: func(c *Conn, _ CloseError) bool {
			_ = c.Send(ws.OpText, []byte(long))
			return false
		},
	})
	in := packedText(long)
	p.feed([]byte(in[:20]))
	p.feed([]byte(in[20:]))
	p.call(func(c *Conn) error { return c.Close(4001, "") })
	if len(p.out) > 2500 {
		t.Errorf("%d bytes were sent: not compressed", len(p.out))
	}
	if got := p.got(t); got != echoed(long)+echoed(long)+echoed(long)+closed(4001, "") {
		t.Errorf("got %s", brief([]byte(got)))
	}
	if wire.Len() != len(in) || len(sent) != 1 || sent[0] != long {
		t.Errorf("the hooks saw %d bytes, %d messages", wire.Len(), len(sent))
	}
}

// Hooks do not make a connection one that has agreed.
func TestHooksWithoutDeflate(t *testing.T) {
	r := Route{Message: echoBack, Compression: CompressionOn, Wire: func(_ *Conn, b []byte) (int, error) { return len(b), nil }}
	p := newPeer(t, mustCompile(t, map[string]Route{"/echo": r}))
	p.feed([]byte(wsHead("/echo") + packedText(letters(1000))))
	if closeFor(p.err).Code != 1002 || p.state.Messages != 0 {
		t.Errorf("got %v, %d messages", p.err, p.state.Messages)
	}
}

// What is counted is the messages themselves.
func TestDeflateCounts(t *testing.T) {
	p := deflating(t, Route{Message: echoBack})
	p.feed([]byte(packedText(letters(1000)) + packedBlob("x")))
	want := map[ws.OpCode]Flow{ws.OpText: {1, 1000}, ws.OpBinary: {1, 1}}
	p.wantFlows(t, want, want)
	p.feed([]byte(masked(0xc1, "\xff")))
	if p.Counts().Violations[ViolationDeflate] != 1 {
		t.Errorf("got violations %v", p.Counts().Violations)
	}
}
