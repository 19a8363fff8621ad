package websocket

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// limited is a peer of an echo with the limits given.
func limited(t testing.TB, l Limits) *peer {
	t.Helper()
	return upgraded(t, mustCompile(t, map[string]Route{"/echo": {Message: echoBack, Limits: l}}))
}

// B1, B2: a message exactly at the limit is good, one byte more is not, however
// it is cut into frames, and the header is all that it takes.
func TestMaxMessage(t *testing.T) {
	for _, max := range []int{1, 125, 126, 65536, 100_000} {
		p := letters(max)
		for name, in := range map[string]string{
			"one frame": text(p), "fragments": split(firstText, p, max/3+1),
			"empty fragments": begin("") + middle(p) + middle("") + last(""),
		} {
			at := limited(t, Limits{MaxMessage: max})
			if at.feed([]byte(in)); at.err != nil || string(at.out) != echoed(p) {
				t.Errorf("%d in %s: got %v, %s", max, name, at.err, brief(at.out))
			}
		}
		for name, in := range map[string]string{
			"one frame": header(text(p + "x")), "fragments": begin(p) + header(last("x")), "the first fragment": header(begin(p + "x")),
			"late": begin(p) + middle("") + header(middle("x")),
		} {
			over := limited(t, Limits{MaxMessage: max})
			if over.feed([]byte(in)); !errors.Is(over.err, ErrMessageTooBig) || string(over.out) != closed(1009, "message too big") {
				t.Errorf("%d + 1 in %s: got %v, %s", max, name, over.err, brief(over.out))
			}
			over.end(t, ErrMessageTooBig)
		}
	}
	off := limited(t, Limits{MaxMessage: -1})
	p := letters(3 << 20)
	if off.feed([]byte(text(p) + split(firstText, p, 1<<20))); off.err != nil || string(off.out) != echoed(p)+echoed(p) {
		t.Errorf("without a limit: got %v, %s", off.err, brief(off.out))
	}
}

// header cuts the payload off a frame.
func header(frame string) string {
	n := 6
	switch frame[1] & 127 {
	case 126:
		n = 8
	case 127:
		n = 14
	}
	return frame[:n]
}

// declares is the header of a frame that says it has n bytes.
func declares(first byte, n uint64) string {
	b := []byte{first, 0x80 | 127}
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(n>>shift))
	}
	return string(b) + "\x01\x02\x03\x04"
}

// B2: no sum of lengths overflows, limit or none.
func TestSumCannotOverflow(t *testing.T) {
	for _, max := range []int{10, 1 << 20, math.MaxInt32, math.MaxInt64, -1} {
		for _, n := range []uint64{1 << 31, 1 << 32, 1 << 62, math.MaxInt64} {
			for name, in := range map[string]string{
				"alone": declares(firstBinary, n), "first": declares(byte(ws.OpBinary), n),
				"second": begin("123456789") + declares(0, n), "last": begin("123456789") + declares(0x80, n),
			} {
				p := limited(t, Limits{MaxMessage: max})
				if p.feed([]byte(in)); !errors.Is(p.err, ErrMessageTooBig) {
					t.Errorf("%s of %d, limit %d: got %v", name, n, max, p.err)
				}
				if p.end(t, ErrReset); p.loop.alloced > 4096 {
					t.Errorf("%s of %d, limit %d: took %d bytes", name, n, max, p.loop.alloced)
				}
			}
		}
	}
}

// B1: memory grows by what has arrived, 16 times that at most, not by what was
// declared; for the whole message it is not more than it needs.
func TestMemoryCostsBytes(t *testing.T) {
	const size = 1 << 20
	for name, in := range map[string]string{"one frame": text(letters(size)), "a fragment": begin("") + last(letters(size)), "fragments": split(firstText, letters(size), 300<<10)} {
		for _, room := range []bool{false, true} {
			p := limited(t, Limits{})
			p.room = room
			arrived := 0
			before := p.loop.alloced
			for _, n := range []int{20, 1, 100, 1000, 10_000, 100_000, 300_000, 300_000, len(in)} {
				n = min(n, len(in)-arrived)
				p.feed([]byte(in[arrived : arrived+n]))
				arrived += n
				if p.work == nil {
					break
				}
				if have := cap(p.work.message); have > 16*arrived || have > headroom+size {
					t.Errorf("%s, room %v: %d bytes for %d that have arrived", name, room, have, arrived)
				}
			}
			if took := p.loop.alloced - before; p.err != nil || len(p.out) != size+10 || took > 4*size {
				t.Errorf("%s, room %v: got %v, %d bytes, took %d in all", name, room, p.err, len(p.out), took)
			}
		}
	}
}

// B3: the number of fragments exactly at the limit, and without one.
func TestMaxFragments(t *testing.T) {
	const max = 7
	in := begin("a") + strings.Repeat(middle(""), max-2)
	p := limited(t, Limits{MaxFragments: max})
	// Each message anew, control frames apart.
	p.feed([]byte(strings.Repeat(ping("")+in+ping("")+last("b"), 3)))
	if want := strings.Repeat(ponged("")+ponged("")+echoed("ab"), 3); p.err != nil || string(p.out) != want {
		t.Errorf("got %v, %s", p.err, brief(p.out))
	}
	p = limited(t, Limits{MaxFragments: max})
	p.feed([]byte(in + middle("")))
	if p.err != nil {
		t.Errorf("at the limit: %v", p.err)
	}
	if p.feed([]byte(last(""))); !errors.Is(p.err, ErrFragments) || string(p.out) != closed(1008, "too many fragments") {
		t.Errorf("got %v, %s", p.err, brief(p.out))
	}
	p = limited(t, Limits{MaxFragments: 1})
	if p.feed([]byte(text(letters(70_000)))); p.err != nil {
		t.Errorf("a large frame alone: %v", p.err)
	}
	p = limited(t, Limits{MaxFragments: -1})
	p.feed([]byte(begin("") + strings.Repeat(middle(""), 70_000) + last("")))
	if p.err != nil || string(p.out) != echoed("") {
		t.Errorf("without a limit: got %v, %s", p.err, brief(p.out))
	}
}

// B6: control frames of a window exactly at the limit; data frames are not
// counted.
func TestMaxControlRate(t *testing.T) {
	three := ping("") + pong("") + text("x") + ping("")
	p := limited(t, Limits{MaxControlRate: 3})
	for range 3 {
		p.feed([]byte(three))
		p.state.Window()
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	if p.feed([]byte(three + ping("x"))); !errors.Is(p.err, ErrControlFlood) || !bytes.HasSuffix(p.out, []byte(closed(1008, "too many control frames"))) {
		t.Errorf("got %v, %s", p.err, brief(p.out))
	}
	p.state.Window() // the count is the cause now
	if p.end(t, ErrReset); p.counted != CauseControlFlood {
		t.Errorf("counted under %s", p.counted)
	}
	p = limited(t, Limits{MaxControlRate: -1})
	if p.feed([]byte(strings.Repeat(pong(""), math.MaxUint16+10))); p.err != nil {
		t.Errorf("without a limit: %v", p.err)
	}
	p.end(t, ErrEOF)
	for _, most := range []int{math.MaxUint16, math.MaxInt} { // what the counter holds, and more than that
		p = limited(t, Limits{MaxControlRate: most})
		if p.feed([]byte(strings.Repeat(pong(""), math.MaxUint16))); p.err != nil {
			t.Errorf("at %d: %v", most, p.err)
		}
		if p.feed([]byte(pong(""))); !errors.Is(p.err, ErrControlFlood) {
			t.Errorf("above %d: got %v, want ErrControlFlood", most, p.err)
		}
		p.end(t, ErrReset)
	}
}

// The count of messages stops at its top.
func TestMessagesSaturate(t *testing.T) {
	p := limited(t, Limits{})
	p.feed([]byte(text("") + begin("") + last("") + ping("")))
	if p.state.Messages != 2 {
		t.Errorf("counted %d messages, want 2", p.state.Messages)
	}
	p.state.Messages = math.MaxUint32 - 1
	if p.feed([]byte(text("") + text(""))); p.state.Messages != math.MaxUint32 {
		t.Errorf("got %d", p.state.Messages)
	}
}

// B8: the time of a message runs from its first byte, whatever follows.
func TestBegan(t *testing.T) {
	large := letters(100_000)
	for name, in := range map[string][]string{
		"a frame that is kept":    {text("hello")[:8], text("hello")[8:10], text("hello")[10:]},
		"fragments":               {begin("a"), middle("b"), ping("c"), last("d")},
		"an empty first fragment": {begin(""), last("")},
		"a large frame":           {text(large)[:20], text(large)[20:90_000], text(large)[90_000:]},
		"its header alone":        {text(large)[:14], text(large)[14:]},
	} {
		for _, room := range []bool{false, true} {
			p := limited(t, Limits{})
			p.room = room
			for i, piece := range in {
				p.loop.now = time.Duration(i+1) * time.Second
				p.feed([]byte(piece))
				if i == len(in)-1 {
					break
				}
				if p.work == nil {
					t.Fatalf("%s: no working state after piece %d", name, i)
				}
				if began, ok := p.work.Began(); !ok || began != time.Second {
					t.Errorf("%s: began at %v, %v, after piece %d", name, began, ok, i)
				}
			}
			if p.work != nil || p.err != nil {
				t.Errorf("%s: %v, %+v when it is whole", name, p.err, p.work)
			}
		}
	}
	p := limited(t, Limits{})
	p.feed([]byte(begin("a")))
	p.work.Restart(time.Minute)
	if began, ok := p.work.Began(); !ok || began != time.Minute || p.work.Holds() != true {
		t.Errorf("restarted, it began at %v, %v", began, ok)
	}
	p.call(func(*Conn) error { return ErrMessageTimeout })
	if string(p.out) != closed(1008, "message timeout") {
		t.Errorf("got %s", brief(p.out))
	}
	p.end(t, ErrReset)
}

// Output above the high-water mark stops Receive; nothing is lost or out of
// order, and no more than one message lies above the mark.
func TestStopped(t *testing.T) {
	const high = 1000
	twice := func(c *Conn, op ws.OpCode, p []byte) error { return errors.Join(c.Send(op, p), c.Send(op, p)) }
	p := upgraded(t, mustCompile(t, map[string]Route{"/echo": {Message: twice, Limits: Limits{HighWater: high}}}))
	in := []byte(strings.Repeat(text(letters(90)), 100))
	stops := 0
	for len(in) > 0 {
		n, out, err := p.Receive(in)
		if err != nil || n == 0 || len(out) > high+2*92 {
			t.Fatal(n, len(out), err)
		}
		in, p.out = in[n:], append(p.out, out...)
		if p.Stopped() {
			stops++
		}
		p.Sent()
	}
	if want := strings.Repeat(echoed(letters(90)), 200); string(p.out) != want || stops < 15 {
		t.Errorf("got %s after %d stops", brief(p.out), stops)
	}
}

// A reply that lies in its message's memory leaves, although the handler ends the
// connection and then panics.
func TestReplyBeforePanic(t *testing.T) {
	p := upgraded(t, mustCompile(t, map[string]Route{"/echo": {Message: func(c *Conn, op ws.OpCode, p []byte) error {
		_ = c.Send(op, p)
		c.End(FIN)
		panic("after the end")
	}}}))
	message := letters(100_000)
	p.feed([]byte(split(firstText, message, 50_000)))
	var panicked *PanicError
	if string(p.out) != echoed(message) || !errors.As(p.err, &panicked) {
		t.Errorf("got %s, %v, want the reply and the panic", brief(p.out), p.err)
	}
	p.end(t, ErrEOF)
}
