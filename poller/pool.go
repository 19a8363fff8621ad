package poller

import "math/bits"

const (
	smallest = 6  // the smallest class of buffers is 1 << smallest bytes
	largest  = 16 // buffers up to 1 << largest, 64 KiB, are kept
	// keepBytes is how much of each class the pool keeps at most.
	keepBytes = 256 << 10
)

// pool keeps free buffers of one loop by size class, powers of two. What it has
// given out is counted in bytes of capacity.
type pool struct {
	free  [largest - smallest + 1][][]byte
	out   int
	keep  int      // how many bytes of larger buffers are kept, while they are used
	large [][]byte // a stack of them
	kept  int      // their bytes
	low   int      // the stack's lowest height since the last trim
}

// get returns an empty buffer with room for at least n bytes.
func (p *pool) get(n int) []byte {
	class := max(bits.Len(uint(max(n, 1)-1)), smallest)
	if class > largest {
		b := p.getLarge(n)
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

// getLarge looks for a kept buffer that is not much too large.
func (p *pool) getLarge(n int) []byte {
	for i := len(p.large) - 1; i >= 0; i-- {
		b := p.large[i]
		if cap(b) < n || cap(b) > n+n/4 {
			continue
		}
		last := len(p.large) - 1
		p.large[i], p.large[last] = p.large[last], nil
		p.large = p.large[:last]
		p.low = min(p.low, last)
		p.kept -= cap(b)
		return b
	}
	step := 1 << (bits.Len(uint(n)) - 4) // rounded up by an eighth at most
	return make([]byte, 0, (n+step-1)/step*step)
}

// put takes back a buffer that get gave.
func (p *pool) put(b []byte) {
	n := cap(b)
	if n == 0 {
		return
	}
	p.out -= n
	class := bits.Len(uint(n - 1))
	if class > largest {
		if p.kept+n <= p.keep {
			p.large = append(p.large, b[:0:n])
			p.kept += n
		}
		return
	}
	free := &p.free[class-smallest]
	if len(*free) < max(keepBytes>>class, 4) {
		*free = append(*free, b[:0:n])
	}
}

// trim gives the large buffers that nobody needed since the last trim to the
// collector: a burst leaves nothing behind.
func (p *pool) trim() {
	for i := range p.low {
		p.kept -= cap(p.large[i])
	}
	rest := copy(p.large, p.large[p.low:])
	clear(p.large[rest:])
	p.large = p.large[:rest]
	p.low = rest
}
