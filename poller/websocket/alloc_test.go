package websocket

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"github.com/klauspost/compress/flate"
)

// echoOnce is what benchmarks and pins measure: the frame in is read, echoed and
// sent. Receive unmasks in place, so in is copied each time.
func echoOnce(tb testing.TB, in string, want int) func() {
	l := &benchLoop{buffer: make([]byte, 0, 4096)}
	c := NewConn(l, mustCompile(tb, map[string]Route{"/echo": {Message: echoBack, Limits: Limits{MaxControlRate: -1}}}))
	var st State
	c.Bind(1, &st, nil)
	if _, _, err := c.Receive([]byte(wsHead("/echo"))); err != nil || !st.Open() {
		tb.Fatal(err)
	}
	c.Sent()
	read := make([]byte, len(in))
	return func() {
		copy(read, in)
		c.Bind(1, &st, nil)
		n, out, err := c.Receive(read)
		if n != len(in) || len(out) != want || err != nil {
			tb.Fatal(n, len(out), err)
		}
		c.Sent()
	}
}

// A whole data frame and a ping cost no allocation.
func TestFrameAllocations(t *testing.T) {
	pin := func(name, in string, want int) {
		t.Helper()
		if got := testing.AllocsPerRun(50, echoOnce(t, in, want)); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
	for _, size := range []int{0, 125, 126, 4 << 10, 64 << 10} {
		p := letters(size)
		pin(fmt.Sprint("text of ", size), text(p), len(echoed(p)))
		pin(fmt.Sprint("binary of ", size), blob(p), len(echoed(p)))
		pin(fmt.Sprint("texts in a row of ", size), text(p)+text(p), 2*len(echoed(p)))
	}
	pin("ping", ping("12345678"), len(ponged("12345678")))
	pin("empty ping", ping(""), len(ponged("")))
	pin("pong", pong("12345678"), 0)
}

// A compressed message costs none either, once the loop has its compressor: what
// the libraries' tables still grow by is rounded off.
func TestCompressedAllocations(t *testing.T) {
	for _, size := range []int{256, 1 << 10, 64 << 10} {
		if got := testing.AllocsPerRun(200, echoCompressed(t, []byte(packedText(json(size, 1))))); got != 0 {
			t.Errorf("%d bytes: %v allocations", size, got)
		}
	}
}

// A loop has no compressor before its first compressed message, and then what the
// README says: one for messages that fit any window, one for each window that is
// smaller than the longest of its messages, and a decompressor.
func TestCompressorMemory(t *testing.T) {
	p := newPeer(t, goldenRoutes(t))
	p.deflate = deflate{}
	p.feed([]byte(wsHead("/echo", "Sec-WebSocket-Extensions: permessage-deflate") + text("plain")))
	if !p.state.Compressed() || p.deflate.reader != nil || p.deflate.writers != [windowMost + 1]*flate.Writer{} {
		t.Errorf("made before they are needed: %+v", p.deflate)
	}
	var before, after runtime.MemStats
	message := []byte(json(40_000, 1))
	cost := func(d *deflate, window, level int) int {
		runtime.ReadMemStats(&before)
		for range 3 {
			d.out = make([]byte, 0, len(message))
			d.run(window, level, message)
		}
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc-before.TotalAlloc) - 3*cap(d.out)
	}
	for level := flate.BestSpeed; level <= flate.BestCompression; level++ {
		if got := cost(&deflate{}, windowMost, level); got > 3<<19 {
			t.Errorf("level %d: %d bytes, more than the README says", level, got)
		}
	}
	var d deflate
	all := 0
	for window := windowLeast; window <= windowMost; window++ {
		all += cost(&d, window, flate.BestSpeed)
	}
	if all > 8<<20 {
		t.Errorf("all windows: %d bytes, more than the README says", all)
	}
	t.Logf("all windows: %d bytes", all)
}

// Idle holds nothing: a connection's State is all there is of it, small and
// without a pointer for the collector to follow.
func TestIdleHoldsNothing(t *testing.T) {
	state := reflect.TypeFor[State]()
	if size := state.Size(); size != 16 {
		t.Errorf("a State has %d bytes, want 16", size)
	}
	checkNoPointers(t, state)
	p := limited(t, Limits{})
	large := letters(100_000)
	for _, in := range []string{text("x"), begin("a") + last("b"), ping(""), text(large), begin(large) + last("")} {
		for _, b := range []byte(in) {
			p.feed([]byte{b})
		}
		if p.work != nil || p.loop.buffers != 0 || len(p.kept) > 0 || p.state.side != 0 {
			t.Fatalf("after %s: %+v, %d buffers", brief([]byte(in)), p.work, p.loop.buffers)
		}
	}
}

// What handlers attach is in entries that are used again.
func TestSideEntries(t *testing.T) {
	p := limited(t, Limits{})
	for range 3 {
		p.Attach("x")
		p.end(t, ErrEOF)
		if len(p.sides) != 2 || p.sides[1].value != nil || p.Value() != nil {
			t.Fatalf("got %d entries, the one given back holds %v", len(p.sides), p.sides[1].value)
		}
	}
}

// checkNoPointers fails for a type that the collector would have to scan.
func checkNoPointers(t *testing.T, typ reflect.Type) {
	t.Helper()
	switch kind := typ.Kind(); {
	case kind == reflect.Struct:
		for i := range typ.NumField() {
			checkNoPointers(t, typ.Field(i).Type)
		}
	case kind == reflect.Bool, kind >= reflect.Int && kind <= reflect.Float64:
	default:
		t.Errorf("a State holds a %s", kind)
	}
}
