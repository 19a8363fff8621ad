package websocket

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// fuzzRoutes are handlers that send in the ways that Send tells apart.
func fuzzRoutes(tb testing.TB) []*Routes {
	var all []*Routes
	for _, message := range []func(c *Conn, op ws.OpCode, p []byte) error{
		echoBack,
		func(c *Conn, op ws.OpCode, p []byte) error { // in place, and once more behind it
			return firstOf(c.Send(op, p), c.Send(op, p))
		},
		func(c *Conn, op ws.OpCode, p []byte) error { // not in place, then in place if that could be
			return firstOf(c.Send(ws.OpBinary, slices.Clone(p)), c.Send(op, p))
		},
		func(c *Conn, op ws.OpCode, p []byte) error { // every second one is not answered
			if c.State().Messages%2 == 0 {
				return nil
			}
			return c.Send(op, p)
		},
		func(c *Conn, op ws.OpCode, p []byte) error {
			if len(p) == 3 {
				return CloseError{Code: 4000, Reason: "three"}
			}
			return firstOf(c.Send(op, p), c.Flush())
		},
	} {
		all = append(all, mustCompile(tb, map[string]Route{"/echo": {
			Message: message, Compression: CompressionOn,
			Limits: Limits{MaxMessage: 128 << 10, MaxFragments: 50, MaxControlRate: 50},
		}}))
	}
	return all
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// FuzzReceive: how the bytes after an upgrade are cut changes nothing, nor does
// reading into Room; what leaves are whole frames as a server may send them;
// nothing is held once the connection is released.
func FuzzReceive(f *testing.F) {
	for _, subject := range subjects {
		subject(func(g golden) {
			var in []byte
			for _, turn := range g.turns {
				in = append(in, turn.in...)
			}
			if in = append(in, g.rest...); len(in) < 1<<10 {
				f.Add(in, []byte{byte(len(in) / 2), 1}, uint8(len(in)))
			}
		})
	}
	f.Add([]byte(text("a")+ping("b")+middle("c")+last("d")), []byte{255, 3, 250}, uint8(128+len(text("a"))))
	large := letters(80 << 10)
	routes := fuzzRoutes(f)
	f.Fuzz(func(t *testing.T, in, pieces []byte, mode uint8) {
		// Large frames are put in here: as input they would be slow to vary.
		if at := int(mode & 127); mode > 127 && at <= len(in) {
			in = slices.Concat(in[:at], []byte(text(large)+begin(large[:70<<10])), in[at:])
		}
		table, compressed := routes[int(mode)%len(routes)], mode&64 != 0
		whole := upgraded(t, table)
		if compressed {
			whole.agreed(t, "permessage-deflate")
		}
		whole.feed(in)
		checkFrames(t, unpacked(t, whole.out, windowMost))
		for _, room := range []bool{false, true} {
			cut := upgraded(t, table)
			cut.room = room
			if compressed {
				cut.agreed(t, "permessage-deflate")
			}
			feedPieces(cut, in, pieces)
			if !bytes.Equal(whole.out, cut.out) || fmt.Sprint(whole.err) != fmt.Sprint(cut.err) {
				t.Fatalf("whole: %s, %v\nin pieces, room %v: %s, %v", brief(whole.out), whole.err, room, brief(cut.out), cut.err)
			}
			cut.end(t, ErrEOF)
		}
		whole.end(t, ErrEOF)
	})
}

// feedPieces feeds in by the lengths that pieces has, over and over: up to 127
// they are bytes, above that 512 bytes each.
func feedPieces(p *peer, in, pieces []byte) {
	for i := 0; len(in) > 0; i++ {
		n := len(in)
		if len(pieces) > 0 {
			if n = 1 + int(pieces[i%len(pieces)]); n > 128 {
				n = (n - 128) * 512
			}
		}
		n = min(n, len(in))
		p.feed(in[:n])
		in = in[n:]
	}
}

// checkFrames reads all that a server has sent (RFC 6455 §5): whole frames of
// whole messages, none behind a close frame.
func checkFrames(t *testing.T, out []byte) {
	t.Helper()
	for len(out) > 0 {
		r := bytes.NewReader(out)
		h, err := ws.ReadHeader(r)
		if err != nil || h.Masked || h.Rsv != 0 || !h.Fin || h.Length > int64(r.Len()) {
			t.Fatalf("got header %+v, %v in front of %d bytes", h, err, r.Len())
		}
		at := len(out) - r.Len()
		p := out[at : at+int(h.Length)]
		if shortest := appendLength([]byte{out[0]}, 0, len(p)); at != len(shortest) {
			t.Fatalf("got a header of %d bytes for a payload of %d", at, len(p))
		}
		out = out[at+len(p):]
		switch h.OpCode {
		case ws.OpText:
			if !utf8.Valid(p) {
				t.Fatalf("text %s", brief(p))
			}
		case ws.OpBinary:
		case ws.OpPong, ws.OpClose:
			if len(p) > 125 || h.OpCode == ws.OpClose && len(out) > 0 {
				t.Fatalf("control frame of %d bytes, %d behind it", len(p), len(out))
			}
		default:
			t.Fatalf("sent opcode %d", h.OpCode)
		}
	}
}

// FuzzFrame reads headers a second and a third time: with gobwas/ws, and by the
// bits that RFC 6455 §5.2 draws.
func FuzzFrame(f *testing.F) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		f.Add([]byte(text(letters(n)))[:min(20, n+6)], false)
		f.Add([]byte(last(letters(n)))[:min(20, n+6)], true)
	}
	f.Add([]byte("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"), false)
	f.Add([]byte("\x88\x81"), true)
	f.Fuzz(func(t *testing.T, b []byte, fragmented bool) {
		var h ws.Header
		n, err := parseHeader(b, &h, serverState(fragmented))
		if bad := badHeader(b, fragmented); bad != (err != nil) {
			t.Fatalf("%x: got %v, by the bits: bad %v", b, err, bad)
		}
		if err != nil {
			return
		}
		r := bytes.NewReader(b)
		other, err := ws.ReadHeader(r)
		switch used := len(b) - r.Len(); {
		case n == 0 && err == nil:
			t.Fatalf("%x: not whole, for gobwas/ws %+v", b, other)
		case n > 0 && (err != nil || other != h || used != n):
			t.Fatalf("%x: got %d bytes, %+v, for gobwas/ws %d, %+v, %v", b, n, h, used, other, err)
		}
		frame := AppendFrame([]byte("in front"), ws.OpBinary, b)
		if string(frame) != "in front"+bare(firstBinary, string(b)) {
			t.Fatalf("got frame %x", frame)
		}
	})
}

// badHeader reports whether the bits of b, the beginning of a client's frame,
// are such as none may send without an extension.
func badHeader(b []byte, fragmented bool) bool {
	if len(b) == 0 {
		return false
	}
	fin, rsv, op := b[0]>>7, b[0]>>4&7, b[0]&15
	control := op >= 8
	switch {
	case rsv != 0, op >= 3 && op <= 7, op >= 11, control && fin == 0, !control && fragmented != (op == 0):
		return true
	case len(b) == 1:
		return false
	}
	size := b[1] & 127
	switch {
	case b[1]>>7 == 0, control && size > 125, op == 8 && size == 1:
		return true
	case size == 126 && len(b) >= 4:
		return int(b[2])<<8|int(b[3]) < 126
	case size == 127 && len(b) > 2 && b[2]>>7 == 1:
		return true
	case size == 127 && len(b) >= 10:
		return !slices.ContainsFunc(b[2:8], func(x byte) bool { return x != 0 })
	}
	return false
}

// FuzzUTF8 checks text as it arrives against the table of the Unicode standard:
// it fails with the byte that spoils it, not before and not after.
func FuzzUTF8(f *testing.F) {
	f.Add([]byte(greek), uint8(3))
	f.Add([]byte("\xed\x9f\xbf\xed\xa0\x80"), uint8(1))
	f.Add([]byte("\xf4\x8f\xbf\xbf\xf4\x90"), uint8(2))
	f.Fuzz(func(t *testing.T, p []byte, step uint8) {
		var w Work
		bad, whole := badAt(string(p))
		for at := 0; at < len(p); {
			at = min(at+1+int(step), len(p))
			if err := w.check(p[:at], false); (err != nil) != (bad > 0 && bad <= at) {
				t.Fatalf("%q: got %v after %d bytes, want an error after %d", p, err, at, bad)
			} else if err != nil {
				return
			}
		}
		if err := w.check(p, true); (err == nil) != whole {
			t.Fatalf("%q: got %v at its end", p, err)
		}
	})
}

// FuzzMask unmasks what arrives in pieces and moves to the left, against the loop of
// RFC 6455 §5.3.
func FuzzMask(f *testing.F) {
	f.Add([]byte(letters(100)), []byte{1, 2, 3, 4}, uint8(7), uint8(0))
	f.Add([]byte(greek+letters(1000)), []byte{1, 2, 3, 0x84}, uint8(200), uint8(4))
	f.Fuzz(func(t *testing.T, p, key []byte, step, move uint8) {
		var mask [4]byte
		copy(mask[:], key)
		frame := []byte(maskedWith(mask, firstBinary, string(p)))
		from := len(frame) - len(p)
		to, seen := max(from-int(move), 0), uint64(0)
		for at := 0; at < len(p); {
			n := min(1+int(step), len(p)-at)
			seen |= cipher(frame[to+at:to+at+n], frame[from+at:from+at+n], mask, at)
			at += n
		}
		if got := frame[to : to+len(p)]; !bytes.Equal(got, p) {
			t.Fatalf("got %x, want %x", got, p)
		}
		if wide := slices.ContainsFunc(p, func(b byte) bool { return b >= 0x80 }); wide && seen&topBits == 0 {
			t.Fatalf("%x is taken for ASCII", p)
		}
	})
}
