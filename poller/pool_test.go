package poller

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// memoryAt is where a buffer's memory begins.
func memoryAt(b []byte) *byte { return unsafe.SliceData(b) }

func TestPoolGivesRoom(t *testing.T) {
	for _, tt := range []struct{ n, capacity int }{
		{0, 64}, {1, 64}, {64, 64}, {65, 128}, {4096, 4096}, {4097, 8192},
		{64 << 10, 64 << 10},
		{64<<10 + 1, 72 << 10}, // above: rounded up by an eighth at most
		{1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1<<17},
	} {
		p := pool{keep: 4 << 20}
		b := p.get(tt.n)
		if len(b) != 0 || cap(b) != tt.capacity {
			t.Errorf("get(%d): length %d, capacity %d, want 0 and %d", tt.n, len(b), cap(b), tt.capacity)
		}
		if p.out != tt.capacity {
			t.Errorf("get(%d): %d bytes are out, want %d", tt.n, p.out, tt.capacity)
		}
		p.put(append(b, make([]byte, tt.n)...))
		if p.out != 0 {
			t.Errorf("get(%d), put: %d bytes are out", tt.n, p.out)
		}
		if again := p.get(tt.n); memoryAt(again) != memoryAt(b) || len(again) != 0 {
			t.Errorf("get(%d): what was put back is not given out again, empty", tt.n)
		}
	}
}

func TestPoolTakesNothingBackForNil(t *testing.T) {
	p := pool{keep: 4 << 20}
	p.put(nil)
	if p.out != 0 {
		t.Errorf("%d bytes are out", p.out)
	}
}

// TestPoolModel keeps what is out in a map: no memory is given out twice, the
// count is right, and what is kept stays within its bounds.
func TestPoolModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := pool{keep: 4 << 20}
	out, bytes := map[*byte][]byte{}, 0
	for range 20000 {
		switch rng.IntN(10) {
		case 0, 1, 2, 3, 4:
			n := rng.IntN(1 << rng.IntN(20))
			b := p.get(n)
			if cap(b) < n || len(b) != 0 {
				t.Fatalf("get(%d): length %d, capacity %d", n, len(b), cap(b))
			}
			if _, taken := out[memoryAt(b)]; taken {
				t.Fatalf("get(%d): memory that is in use was given out", n)
			}
			out[memoryAt(b)] = b
			bytes += cap(b)
		case 9:
			if rng.IntN(100) == 0 {
				p.trim()
			}
		default:
			for k, b := range out {
				p.put(b[:cap(b)/2])
				bytes -= cap(b)
				delete(out, k)
				break
			}
		}
		if p.out != bytes {
			t.Fatalf("%d bytes are out, want %d", p.out, bytes)
		}
		checkKept(t, &p)
	}
}

// checkKept compares what the pool keeps with its bounds and its own count.
func checkKept(t *testing.T, p *pool) {
	t.Helper()
	kept := 0
	for _, b := range p.large {
		kept += cap(b)
	}
	if kept != p.kept || kept > p.keep || p.low > len(p.large) {
		t.Fatalf("keeps %d bytes in large buffers and says %d, bound %d; low %d of %d", kept, p.kept, p.keep, p.low, len(p.large))
	}
	for i, free := range p.free {
		class := i + smallest
		if most := max(keepBytes>>class, 4); len(free) > most {
			t.Fatalf("keeps %d buffers of %d bytes, bound %d", len(free), 1<<class, most)
		}
	}
}

func TestPoolBoundsWhatItKeeps(t *testing.T) {
	for _, size := range []int{64, 64 << 10, 1 << 20} {
		p := pool{keep: 4 << 20}
		var all [][]byte
		for range 5000 {
			all = append(all, p.get(size))
			if len(all)*size >= 64<<20 {
				break
			}
		}
		for _, b := range all {
			p.put(b)
		}
		if p.out != 0 {
			t.Errorf("size %d: %d bytes are out", size, p.out)
		}
		checkKept(t, &p)
	}
}

// TestPoolTrim: large buffers go once nobody has needed them between two trims.
func TestPoolTrim(t *testing.T) {
	const size = 1 << 20
	p := pool{keep: 4 << 20}
	a, b, c := p.get(size), p.get(size), p.get(size)
	for _, x := range [][]byte{a, b, c} {
		p.put(x)
	}
	p.trim() // they came back since the last one
	if len(p.large) != 3 {
		t.Fatalf("%d large buffers are kept after a burst, want 3", len(p.large))
	}
	p.put(p.get(size)) // one is in use now and then
	p.trim()
	if len(p.large) != 1 || p.kept != size {
		t.Fatalf("%d large buffers of %d bytes are kept, want the one in use", len(p.large), p.kept)
	}
	p.trim()
	if len(p.large) != 0 || p.kept != 0 {
		t.Fatalf("%d large buffers of %d bytes are kept after a time without use", len(p.large), p.kept)
	}
}

func TestPoolDoesNotGiveMuchMore(t *testing.T) {
	p := pool{keep: 4 << 20}
	p.put(p.get(4 << 20))
	if b := p.get(1 << 20); cap(b) > 2<<20 {
		t.Errorf("get(1 MiB) gave %d bytes", cap(b))
	}
	if len(p.large) != 1 {
		t.Errorf("%d large buffers are kept, want the one that did not fit", len(p.large))
	}
}
