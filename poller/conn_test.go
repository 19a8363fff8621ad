package poller

import (
	"reflect"
	"sync"
	"testing"
	"unsafe"

	"echogate/poller/websocket"
)

// TestSlotIsSmallAndPlain: the collector must not look at a million slots, and
// 48 bytes is what an idle connection may cost.
func TestSlotIsSmallAndPlain(t *testing.T) {
	if n := unsafe.Sizeof(slot{}); n > 48 {
		t.Errorf("a slot has %d bytes, at most 48 are allowed", n)
	}
	if p := pointerIn(reflect.TypeFor[slot](), "slot"); p != "" {
		t.Errorf("%s is a pointer", p)
	}
}

// pointerIn names the first part of a type that the collector would follow.
func pointerIn(t reflect.Type, path string) string {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if p := pointerIn(f.Type, path+"."+f.Name); p != "" {
				return p
			}
		}
		return ""
	case reflect.Array:
		return pointerIn(t.Elem(), path+"[]")
	case reflect.Bool, reflect.Float32, reflect.Float64:
		return ""
	}
	if k := t.Kind(); k >= reflect.Int && k <= reflect.Uint64 {
		return ""
	}
	return path
}

func TestPointerIn(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{struct{ a [3]uint32 }{}, ""},
		{struct{ a [3]string }{}, "x.a[]"},
		{struct{ b struct{ p *int } }{}, "x.b.p"},
		{struct{ s []byte }{}, "x.s"},
		{struct{ f func() }{}, "x.f"},
		{struct{ u uintptr }{}, "x.u"}, // nothing of ours is one
	} {
		if got := pointerIn(reflect.TypeOf(tt.v), "x"); got != tt.want {
			t.Errorf("%T: %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestOwnerWord(t *testing.T) {
	var s slot
	mine, other := &loop{tag: 1}, &loop{tag: 2}
	if s.is(mine) || s.is(other) {
		t.Fatal("a slot that was never taken has an owner")
	}
	s.take(2, 77)
	if s.is(mine) || !s.is(other) || s.generation() != 1 {
		t.Fatalf("taken: owner word %#x", s.owner.Load())
	}
	if s.heard != 77 || s.opened != 77 {
		t.Errorf("heard at %d, opened at %d, want 77", s.heard, s.opened)
	}
	s.setFull(true)
	s.setFull(true)
	if s.owner.Load() != 1<<32|ownerFull|2 {
		t.Errorf("full: owner word %#x", s.owner.Load())
	}
	s.setFull(false)
	s.setFull(false)
	if s.owner.Load() != 1<<32|2 {
		t.Errorf("not full: owner word %#x", s.owner.Load())
	}
	s.setFull(true)
	s.free()
	if s.is(other) || s.owner.Load() != 1<<32 {
		t.Errorf("freed: owner word %#x, want the generation alone", s.owner.Load())
	}
}

// TestTakeBeginsAnew: nothing of the connection before is left.
func TestTakeBeginsAnew(t *testing.T) {
	var s slot
	s.take(1, 5)
	s.busy = 9
	s.ws.Refuse()
	s.ws.Messages = 7
	s.free()
	s.take(3, 6)
	if s.generation() != 2 || s.busy != 0 || s.ws != (websocket.State{}) || s.heard != 6 {
		t.Errorf("generation %d, busy %d, state %+v, heard %d", s.generation(), s.busy, s.ws, s.heard)
	}
}

func TestGenerationWraps(t *testing.T) {
	var s slot
	s.owner.Store((1<<32 - 1) << 32)
	s.take(4, 1)
	if s.generation() != 0 || !s.is(&loop{tag: 4}) {
		t.Errorf("owner word %#x, want generation 0 of loop 3", s.owner.Load())
	}
}

// TestAlive is what a Handle is told without waiting.
func TestAlive(t *testing.T) {
	l := &loop{tag: 2, table: newTable(chunkSize)}
	s := l.table.make(10)
	s.take(2, 1)
	now := websocket.NewHandle(l, 10, 1)
	check := func(name string, h websocket.Handle, room bool, want error) {
		t.Helper()
		if err := l.alive(h, room); err != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	check("open", now, true, nil)
	check("one before", websocket.NewHandle(l, 10, 0), true, websocket.ErrGone)
	check("never there", websocket.NewHandle(l, 11, 0), true, websocket.ErrGone)
	s.setFull(true)
	check("backlog full", now, true, websocket.ErrBacklog)
	check("backlog full, nothing to send", now, false, nil)
	s.free()
	check("ended", now, true, websocket.ErrGone)
	s.take(1, 1)
	check("taken by another loop", websocket.NewHandle(l, 10, 2), true, websocket.ErrGone)
}

func TestJitter(t *testing.T) {
	var low, high int
	for fd := range 1000 {
		var s slot
		s.take(1, 1)
		j := s.jitter(fd)
		if j != s.jitter(fd) || j >= 1<<16 {
			t.Fatalf("descriptor %d: jitter %d, then %d", fd, j, s.jitter(fd))
		}
		if j < 1<<14 {
			low++
		}
		if j >= 3<<14 {
			high++
		}
	}
	if low < 200 || low > 300 || high < 200 || high > 300 {
		t.Errorf("of 1,000 in a row %d are in the lowest quarter and %d in the highest, want about 250", low, high)
	}
}

func TestTable(t *testing.T) {
	tab := newTable(2*chunkSize + 1) // rounded up to three chunks
	if tab.at(0) != nil || tab.top() != 0 {
		t.Error("a new table has slots")
	}
	if tab.make(3*chunkSize) != nil || tab.at(3*chunkSize) != nil || tab.at(-1) != nil {
		t.Error("there is a slot outside the table")
	}
	s := tab.make(chunkSize + 5)
	if s == nil || tab.at(chunkSize+5) != s || tab.make(chunkSize+5) != s {
		t.Fatal("a slot does not stay where it is")
	}
	if tab.top() != 2*chunkSize {
		t.Errorf("top is %d, want %d", tab.top(), 2*chunkSize)
	}
	if tab.at(chunkSize) == s || tab.at(chunkSize) == nil || tab.at(5) != nil {
		t.Error("a chunk is not made as a whole, or not alone")
	}
}

// TestTableGrowsOnce: several loops need the same new chunk at the same time and
// must get the same slots.
func TestTableGrowsOnce(t *testing.T) {
	const loops, chunks = 8, 20
	tab := newTable(chunks * chunkSize)
	got := make([][chunks]*slot, loops)
	var all sync.WaitGroup
	for i := range loops {
		all.Go(func() {
			copied := tab // a loop's copy is the same table
			for c := range chunks {
				got[i][c] = copied.make(c*chunkSize + 7)
				got[i][c].owner.Add(1)
			}
		})
	}
	all.Wait()
	for c := range chunks {
		s := tab.at(c*chunkSize + 7)
		if n := s.owner.Load(); n != loops {
			t.Errorf("chunk %d: %d of %d loops share the slot", c, n, loops)
		}
		for i := range loops {
			if got[i][c] != s {
				t.Errorf("chunk %d: loop %d has a slot of its own", c, i)
			}
		}
	}
}
