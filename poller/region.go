package poller

import (
	"math/bits"

	"golang.org/x/sys/unix"
)

const (
	pageSize = 4 << 10
	// spaceSize is how much address space is asked of the kernel at once. What
	// was never written to has no memory.
	spaceSize = 4 << 20
)

// regions is one loop's memory for what is larger than the pool's classes. It
// lies outside of the collector's heap: what is given back is the kernel's again
// at that moment and not after the next collection, so that Config.MaxBuffered
// bounds what the process really has, and not two thirds of it (limits.md C4).
//
// A free region is warm while it keeps its memory: fresh memory for each large
// message would cost more than the message (bench/results has the record). Its
// address space is kept in any case, at most the largest amount that was ever in
// use of its size: a handler that breaks the rule and looks at a payload after it
// has returned reads bytes, zeros or another message, and does not end the process.
type regions struct {
	sizes map[int]*sized
	keep  int      // how many bytes of warm regions are kept at most
	kept  int      // bytes of warm regions
	space []byte   // address space that was not used yet
	all   [][]byte // address space, as it came
	lent  lent     // under -race: what is in use
}

// sized is the free regions of one size.
type sized struct {
	warm, cold [][]byte
	low        int // the least number of warm ones since the last trim: so many nobody needed
}

// regionSize is n rounded up: to pages and by an eighth at most.
func regionSize(n int) int {
	step := max(1<<(bits.Len(uint(n-1))-4), pageSize)
	return (n + step - 1) / step * step
}

// get returns a region with room for at least n bytes.
func (r *regions) get(n int) []byte {
	b := r.take(regionSize(n))
	r.lent.add(b)
	return b
}

// take returns a free region of that size, a warm one first.
func (r *regions) take(size int) []byte {
	s := r.sizes[size]
	if s == nil {
		if r.sizes == nil {
			r.sizes = make(map[int]*sized)
		}
		s = new(sized)
		r.sizes[size] = s
	}
	if last := len(s.warm) - 1; last >= 0 {
		b := s.warm[last]
		s.warm = s.warm[:last]
		s.low = min(s.low, last)
		r.kept -= size
		return b
	}
	if last := len(s.cold) - 1; last >= 0 {
		b := s.cold[last]
		s.cold = s.cold[:last]
		return b
	}
	return r.carve(size)
}

// carve takes a new region from the address space.
func (r *regions) carve(size int) []byte {
	if len(r.space) < size {
		space, err := unix.Mmap(-1, 0, max(size, spaceSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
		if err != nil {
			panic("poller: no address space for buffers: " + err.Error()) // as the Go runtime does
		}
		// A huge page would make 2 MiB resident for the first byte of them. A
		// kernel without huge pages does not know the advice.
		_ = unix.Madvise(space, unix.MADV_NOHUGEPAGE)
		r.all = append(r.all, space)
		if len(space) == size {
			return space[:0:size] // and what is left of the other goes on to be used
		}
		r.space = space
	}
	b := r.space[:0:size]
	r.space = r.space[size:]
	return b
}

// put takes back a region that get gave.
func (r *regions) put(b []byte) {
	r.lent.remove(b)
	s := r.sizes[cap(b)]
	if r.kept+cap(b) <= r.keep {
		s.warm = append(s.warm, b[:0])
		r.kept += cap(b)
		return
	}
	s.cool(b)
}

// cool gives the memory of a region to the kernel.
func (s *sized) cool(b []byte) {
	if err := unix.Madvise(b[:cap(b)], unix.MADV_DONTNEED); err != nil {
		panic("poller: internal error: " + err.Error()) // it is a mapping of ours
	}
	s.cold = append(s.cold, b[:0])
}

// trim gives the memory of regions that nobody needed since the last trim to the
// kernel: a burst leaves nothing behind.
func (r *regions) trim() {
	for size, s := range r.sizes {
		r.coolFirst(size, s, s.low)
		s.low = len(s.warm)
	}
}

// coolAll gives the memory of all free regions to the kernel.
func (r *regions) coolAll() {
	for size, s := range r.sizes {
		r.coolFirst(size, s, len(s.warm))
		s.low = 0
	}
}

// coolFirst cools the n warm regions of a size that have been free for longest.
func (r *regions) coolFirst(size int, s *sized, n int) {
	for _, b := range s.warm[:n] {
		s.cool(b)
	}
	r.kept -= n * size
	rest := copy(s.warm, s.warm[n:])
	clear(s.warm[rest:])
	s.warm = s.warm[:rest]
}

// close unmaps everything; nothing of it may be in use.
func (r *regions) close() {
	for _, space := range r.all {
		_ = unix.Munmap(space)
	}
	*r = regions{keep: r.keep}
}
