package poller

import "math/bits"

const (
	smallest = 6  // the smallest class of buffers is 1 << smallest bytes
	largest  = 14 // the largest, 16 KiB: what is longer is a region of its own
	// keepBytes is how much of each class the pool keeps at most.
	keepBytes = 256 << 10
)

// pool keeps free buffers of one loop by size class, powers of two. What it has
// given out is counted in bytes of capacity.
type pool struct {
	free    [largest - smallest + 1][][]byte
	out     int
	regions regions
}

// get returns an empty buffer with room for at least n bytes.
func (p *pool) get(n int) []byte {
	class := max(bits.Len(uint(max(n, 1)-1)), smallest)
	if class > largest {
		b := p.regions.get(n)
		p.out += cap(b)
		return b
	}
	free := &p.free[class-smallest]
	p.out += 1 << class
	if k := len(*free); k > 0 {
		b := (*free)[k-1]
		*free = (*free)[:k-1]
		return b
	}
	return make([]byte, 0, 1<<class)
}

// memory is how many bytes the buffers have, those in use and those that are warm.
func (p *pool) memory() int { return p.out + p.regions.kept }

// put takes back a buffer that get gave.
func (p *pool) put(b []byte) {
	n := cap(b)
	if n == 0 {
		return
	}
	p.out -= n
	class := bits.Len(uint(n - 1))
	if class > largest {
		p.regions.put(b)
		return
	}
	free := &p.free[class-smallest]
	if len(*free) < max(keepBytes>>class, 4) {
		*free = append(*free, b[:0:n])
	}
}
