package poller

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// memoryAt is where a buffer's memory begins.
func memoryAt(b []byte) *byte { return unsafe.SliceData(b) }

// newPool is a pool that keeps 4 MiB of warm regions.
func newPool(t *testing.T) *pool {
	p := new(pool)
	p.regions.keep = 4 << 20
	t.Cleanup(p.regions.close)
	return p
}

func TestPoolGivesRoom(t *testing.T) {
	for _, tt := range []struct{ n, capacity int }{
		{0, 64}, {1, 64}, {64, 64}, {65, 128}, {4096, 4096}, {4097, 8192},
		{16 << 10, 16 << 10},
		{16<<10 + 1, 20 << 10}, // above: rounded up to pages and by an eighth at most
		{64 << 10, 64 << 10}, {64<<10 + 1, 72 << 10},
		{1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1<<17},
	} {
		p := newPool(t)
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
	p := newPool(t)
	p.put(nil)
	if p.out != 0 {
		t.Errorf("%d bytes are out", p.out)
	}
}

// TestPoolModel keeps what is out in a map: no memory is given out twice, the
// count is right, and what is kept stays within its bounds.
func TestPoolModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := newPool(t)
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
				p.regions.trim()
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
		checkKept(t, p)
	}
}

// checkKept compares what the pool keeps with its bounds and its own count.
func checkKept(t *testing.T, p *pool) {
	t.Helper()
	kept := 0
	for size, s := range p.regions.sizes {
		kept += size * len(s.warm)
		if s.low > len(s.warm) {
			t.Fatalf("size %d: low %d of %d", size, s.low, len(s.warm))
		}
	}
	if r := &p.regions; kept != r.kept || kept > r.keep {
		t.Fatalf("keeps %d bytes in warm regions and says %d, bound %d", kept, r.kept, r.keep)
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
		p := newPool(t)
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
		checkKept(t, p)
	}
}
