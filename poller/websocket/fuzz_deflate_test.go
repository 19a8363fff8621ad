package websocket

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// stdInflate is what the standard library makes of a compressed payload; false
// when it is broken, or not as long as it came.
func stdInflate(p []byte, most int) ([]byte, bool) {
	src := bytes.NewReader(append(bytes.Clone(p), blockEnds...))
	q, err := io.ReadAll(io.LimitReader(flate.NewReader(src), int64(most)+1))
	return q, err == nil && (src.Len() == 0 || len(q) > most)
}

// FuzzInflate: any bytes as a compressed message never panic, never become more
// than the limit, hold nothing, and are judged the same however they are cut. What
// the standard library inflates to the end is what comes back.
func FuzzInflate(f *testing.F) {
	const most = 40_000
	extensionCases(func(g golden) {
		if in := g.turns[len(g.turns)-1].in; len(in) < 1<<10 {
			f.Add([]byte(in), uint16(100), true)
		}
	})
	for _, p := range []string{"", "Hello", json(5000, 1), noise(500, 1), letters(most + 1)} {
		f.Add([]byte(packed(p)), uint16(7), len(p)%2 == 0)
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x02\x13\x00\x00"), uint16(3), true)
	f.Add([]byte(strings.Repeat("\x03\x00", 20)), uint16(3), false)
	routes := mustCompile(f, map[string]Route{"/echo": {Message: echoBack, Compression: CompressionOn, Limits: Limits{MaxMessage: most, MaxFragments: -1}}})
	f.Fuzz(func(t *testing.T, b []byte, step uint16, text bool) {
		first := byte(firstBinary)
		if text {
			first = firstText
		}
		whole, pieces := upgraded(t, routes), upgraded(t, routes)
		for p, in := range map[*peer]string{whole: masked(first|rsv1Bit, string(b)), pieces: split(first|rsv1Bit, string(b), 1+int(step))} {
			p.agreed(t, "permessage-deflate")
			p.feed([]byte(in))
		}
		got, want := whole.got(t), pieces.got(t)
		if got != want || closeFor(whole.err) != closeFor(pieces.err) && whole.err != nil {
			t.Fatalf("whole: %s, %v\nin fragments: %s, %v", brief([]byte(got)), whole.err, brief([]byte(want)), pieces.err)
		}
		if len(got) > most+headroom || whole.loop.alloced > 8*(most+len(b)) {
			t.Fatalf("%d bytes came back, %d were asked for", len(got), whole.loop.alloced)
		}
		if q, ok := stdInflate(b, most); ok {
			wantEcho := len(q) <= most && (!text || utf8.Valid(q))
			if echo := got == bare(first, string(q)); echo != wantEcho {
				t.Fatalf("%x is %s: got %s, %v", b, brief(q), brief([]byte(got)), whole.err)
			}
		}
		whole.end(t, ErrEOF)
		pieces.end(t, ErrEOF)
	})
}

// FuzzDeflate: what is sent inflates to what was given, by the standard library
// and by the second reading, which looks how far back it reaches; after any
// message before it.
func FuzzDeflate(f *testing.F) {
	// Short ones: what is long is put together from them, below.
	f.Add([]byte(json(300, 1)), []byte(noise(30, 1)), uint8(0), uint8(0))
	f.Add([]byte(prose(200, 1)), []byte(prose(300, 1)), uint8(3), uint8(5))
	f.Add([]byte{}, []byte("a"), uint8(6), uint8(9))
	routes := goldenRoutes(f)
	f.Fuzz(func(t *testing.T, one, two []byte, window, level uint8) {
		table, err := routes.Deflate(Deflate{Level: 1 + int(level)%9})
		if err != nil {
			t.Fatal(err)
		}
		p := upgraded(t, table)
		p.state.setWindow(windowLeast + int(window)%(windowMost-windowLeast+1))
		p.opens()
		for _, b := range [][]byte{one, two, bytes.Repeat(two, 20_000/(len(two)+1)), bytes.Repeat(one, 40_000/(len(one)+1))} {
			p.feed([]byte(blob(string(b))))
			if out := p.out; out[0]&rsv1Bit != 0 {
				z := out[len(out)-payloadOf(out):]
				if q, ok := stdInflate(z, len(b)); !ok || !bytes.Equal(q, b) {
					t.Fatalf("%s became %x, which is %s", brief(b), z, brief(q))
				}
			}
			if got := p.got(t); got != bare(firstBinary, string(b)) {
				t.Fatalf("%s came back as %s", brief(b), brief([]byte(got)))
			}
		}
		p.end(t, ErrEOF)
	})
}

// payloadOf is the length that a server's frame announces.
func payloadOf(b []byte) int {
	switch n := int(b[1]); {
	case n < 126:
		return n
	case n == 126:
		return int(b[2])<<8 | int(b[3])
	}
	return len(b) - 10
}
