package websocket

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
)

// What Receive leaves to the mover is an unfinished frame of at most 64 KiB,
// header included. A longer one has memory of its own from its first byte.
func TestKept(t *testing.T) {
	for size, want := range map[int]int{1: 6, tailMax - 8: tailMax - 1, tailMax - 7: 0, tailMax: 0} {
		p := limited(t, Limits{})
		in := blob(letters(size))
		p.feed([]byte(in[:len(in)-1]))
		own := p.work != nil && p.work.Holds()
		if len(p.kept) != want || own != (want == 0) {
			t.Errorf("%d bytes: the mover keeps %d, want %d; in memory of its own: %v", size, len(p.kept), want, own)
		}
		p.end(t, ErrEOF)
	}
}

// Room is there while a large frame is under way, and only then.
func TestRoom(t *testing.T) {
	p := limited(t, Limits{})
	room := func() (int, bool) { b, all := p.Room(); return len(b), all }
	if n, _ := room(); n != 0 {
		t.Errorf("idle: %d bytes", n)
	}
	large := text(letters(200_000))
	p.feed([]byte(large[:14]))
	if n, all := room(); n == 0 || n > 16*(headroom+1) || all {
		t.Errorf("after the header: %d bytes, all %v", n, all)
	}
	p.feed([]byte(large[14:20_000]))
	if n, all := room(); n != 200_000-20_000+14 || !all {
		t.Errorf("after 20,000 bytes: %d bytes, all %v", n, all)
	}
	p.feed([]byte(large[20_000 : len(large)-roomMin+1]))
	if n, _ := room(); n != 0 {
		t.Errorf("before a short rest: %d bytes", n)
	}
	p.feed([]byte(large[len(large)-roomMin+1:]))
	if string(p.out) != echoed(letters(200_000)) {
		t.Errorf("got %s", brief(p.out))
	}
	p.feed([]byte(large[:30_000]))
	p.call(func(c *Conn) error { return c.Close(1000, "") })
	if n, _ := room(); n != 0 || p.loop.buffers != 0 {
		t.Errorf("closing: %d bytes, %d buffers held", n, p.loop.buffers)
	}
	p.end(t, ErrCloseTimeout)
}

// What Filled returns stays as it is while Receive takes what came behind; a
// message in memory of its own waits there until it was sent.
func TestFilledThenReceive(t *testing.T) {
	large := letters(100_000)
	for name, test := range map[string]struct {
		behind, want string
		waits        bool
	}{
		"nothing":            {},
		"a message":          {text("x"), echoed("x"), false},
		"a large one":        {text(large), echoed(large), false},
		"a large one in two": {begin(large[:90_000]) + last(large[90_000:]), echoed(large), true},
	} {
		p := limited(t, Limits{})
		p.feed([]byte(text(large)[:50_000]))
		room, all := p.Room()
		if !all {
			t.Fatal("the rest does not fit")
		}
		n := copy(room, text(large)[50_000:])
		head, err := p.Filled(n)
		if err != nil || len(head) == 0 {
			t.Fatal(err, len(head))
		}
		in := []byte(test.behind)
		used, out, err := p.Receive(in)
		if err != nil || string(head) != echoed(large) || test.waits != (p.Stopped() && len(out) == 0) {
			t.Errorf("%s behind: got %v, %s, and %d bytes, stopped %v", name, err, brief(head), len(out), p.Stopped())
		}
		p.out = append(p.out, out...)
		p.rest()
		p.kept = bytes.Clone(in[used:])
		p.feed(nil)
		if string(p.out) != test.want || p.loop.buffers != 0 {
			t.Errorf("%s behind: got %s, %d buffers held", name, brief(p.out), p.loop.buffers)
		}
	}
}

// A large message in memory of its own waits until what is in front of its reply
// was sent, rather than being copied behind it.
func TestLargeReplyWaits(t *testing.T) {
	large := letters(100_000)
	inTwo := begin(large[:90_000]) + last(large[90_000:])
	p := limited(t, Limits{})
	in := []byte(text("in front") + inTwo + ping("") + inTwo)
	for i, want := range []string{echoed("in front"), echoed(large), ponged(""), echoed(large)} {
		n, out, err := p.Receive(in)
		if string(out) != want || err != nil || p.Stopped() != (len(in) > n || len(want) > tailMax) {
			t.Errorf("part %d: got %s, %v, stopped %v", i, brief(out), err, p.Stopped())
		}
		in = in[n:]
		p.Sent()
	}
}

// Text is checked once: what was found to be good is not looked at again.
func TestCheckedOnce(t *testing.T) {
	p := limited(t, Limits{})
	p.feed([]byte(text("1234\u00b5\u03ba67")[:6+5]))
	if p.work.checked != 4 {
		t.Errorf("%d bytes are known to be good, want those in front of the unfinished rune", p.work.checked)
	}
	p = limited(t, Limits{})
	p.feed([]byte(begin("1234") + middle("5\xe1\xbd")))
	if p.work.checked != 5 {
		t.Errorf("%d bytes of the fragments are known to be good, want 5", p.work.checked)
	}
	p.end(t, ErrEOF)
}

// Text that is spoiled in a large frame fails in Filled, with the byte.
func TestFilledFails(t *testing.T) {
	bad := letters(100_000) + "\xff" + letters(50_000)
	p := limited(t, Limits{})
	p.room = true
	at := 14 + 100_000
	p.feed([]byte(text(bad)[:50_000]))
	p.feed([]byte(text(bad)[50_000:at]))
	if p.err != nil {
		t.Fatal(p.err)
	}
	if p.feed([]byte(text(bad)[at : at+1])); string(p.out) != closed(1007, "invalid UTF-8") {
		t.Errorf("got %v, %s", p.err, brief(p.out))
	}
	p.end(t, ErrReset)
}

// Text that comes whole is looked at in pieces while it is unmasked: one that is ASCII
// says nothing of those in front of it, and a rune may lie over two.
func TestSpoiledInOneRead(t *testing.T) {
	const size = 3*chunk + 100
	for _, at := range []int{0, chunk - 1, chunk, 2*chunk + 7, size - 2} {
		for put, want := range map[string]string{"\xff": closed(1007, "invalid UTF-8"), "\u03ba": ""} {
			message := letters(at) + put + letters(size-at-len(put))
			if want == "" {
				want = echoed(message)
			}
			p := limited(t, Limits{})
			if p.feed([]byte(text(message))); string(p.out) != want {
				t.Errorf("%q at %d: got %v, %s", put, at, p.err, brief(p.out))
			}
			p.end(t, ErrReset)
		}
	}
}

// A large reply is sent from the message's own memory and goes alone; Flush
// sends what there is so far.
func TestFlush(t *testing.T) {
	large := letters(100_000)
	p := upgraded(t, mustCompile(t, map[string]Route{"/echo": {Message: func(c *Conn, op ws.OpCode, p []byte) error {
		return firstOf(c.Send(op, p), c.Flush(), c.Send(op, []byte("behind")))
	}}}))
	for _, payload := range []string{"small", large} {
		in := []byte(text(payload) + text("x"))
		_, out, err := p.Receive(in)
		flushed := string(p.loop.flushed)
		if want := echoed(payload); err != nil || flushed[:len(want)] != want {
			t.Errorf("flushed %s, %v", brief(p.loop.flushed), err)
		}
		if rest := string(p.loop.flushed[len(echoed(payload)):]) + string(out); rest != echoed("behind")+echoed("x")+echoed("behind") {
			t.Errorf("got %q behind", rest)
		}
		p.loop.flushed = nil
		p.rest()
	}
	if p.loop.buffers != 0 {
		t.Errorf("%d buffers are held", p.loop.buffers)
	}
}

// The memory of a large reply that the socket did not take may become the
// mover's; what else there is to send stays where it is.
func TestAdopt(t *testing.T) {
	large := letters(100_000)
	for _, tt := range []struct {
		name, first, rest string
		filled            bool // the rest is read into Room
		unsent            int
		want              bool
	}{
		{"filled", text(large)[:50_000], text(large)[50_000:], true, 90_000, true},
		{"in two frames", begin(large[:90_000]), last(large[90_000:]), false, 100_000, true},
		{"little is left", begin(large[:90_000]), last(large[90_000:]), false, 40_000, false},
		{"in one read", "", text(large[:1000]), false, 900, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := limited(t, Limits{})
			p.feed([]byte(tt.first))
			var reply []byte
			if tt.filled {
				room, _ := p.Room()
				reply, _ = p.Filled(copy(room, tt.rest))
			} else {
				_, reply, _ = p.Receive([]byte(tt.rest))
			}
			want := string(reply[len(reply)-tt.unsent:])
			if m, _ := p.Adopt(!tt.filled, tt.unsent); m != nil {
				t.Error("memory of what is not there was given away")
			}
			m, at := p.Adopt(tt.filled, tt.unsent)
			if (m != nil) != tt.want || m != nil && string(m[at:]) != want {
				t.Errorf("got %s at %d, want %v", brief(m), at, tt.want)
			}
			p.Sent()
			if m != nil && string(m[at:]) != want {
				t.Error("it was given back all the same")
			}
			p.loop.Free(m)
			p.end(t, ErrEOF)
		})
	}
}
