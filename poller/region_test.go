package poller

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inMemory is how many bytes of a region have memory.
func inMemory(t *testing.T, b []byte) (n int) {
	t.Helper()
	b = b[:cap(b)]
	pages := make([]byte, len(b)/pageSize)
	if err := mincore(b, pages); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		n += int(p&1) * pageSize
	}
	return n
}

// written is a region with room for n bytes, all of which were written to.
func written(r *regions, n int) []byte {
	b := r.get(n)
	b = b[:cap(b)]
	for i := range b {
		b[i] = 1
	}
	return b
}

func TestRegionHasNoMemoryBeforeItIsWrittenTo(t *testing.T) {
	r := &newPool(t).regions
	b := r.get(1 << 20)[:1]
	b[0] = 1
	if got := inMemory(t, b); got > 4*pageSize {
		t.Errorf("%d bytes are resident after one was written", got)
	}
}

// What is above the bound of warm ones is the kernel's again at once; the next
// of that size gets its place, empty.
func TestRegionIsGivenBackAtOnce(t *testing.T) {
	for _, size := range []int{20 << 10, 1 << 20, 5 << 20} {
		r := &newPool(t).regions
		r.keep = 0
		b := written(r, size)
		r.put(b)
		if got := inMemory(t, b); got != 0 || r.kept != 0 {
			t.Errorf("size %d: %d bytes are resident, %d kept, want none", size, got, r.kept)
		}
		again := r.get(size)
		if memoryAt(again) != memoryAt(b) {
			t.Errorf("size %d: address space is used once only", size)
		}
		if again = again[:cap(again)]; again[0] != 0 || again[len(again)-1] != 0 {
			t.Errorf("size %d: got old bytes", size)
		}
	}
}

// TestRegionTrim: warm regions go once nobody has needed them between two trims.
func TestRegionTrim(t *testing.T) {
	const size = 1 << 20
	r := &newPool(t).regions
	all := [][]byte{written(r, size), written(r, size), written(r, size)}
	warm := func() (n int) {
		for _, b := range all {
			n += inMemory(t, b)
		}
		if n != r.kept {
			t.Errorf("%d bytes are resident, %d kept", n, r.kept)
		}
		return n / size
	}
	for _, b := range all {
		r.put(b)
	}
	r.trim() // they came back since the last one
	if got := warm(); got != 3 {
		t.Fatalf("%d regions are warm after a burst, want 3", got)
	}
	r.put(r.get(size)) // one is in use now and then
	r.trim()
	if got := warm(); got != 1 {
		t.Fatalf("%d regions are warm, want the one in use", got)
	}
	r.trim()
	if got := warm(); got != 0 {
		t.Fatalf("%d regions are warm after a time without use", got)
	}
}

func TestRegionsCoolAll(t *testing.T) {
	r := &newPool(t).regions
	a, b := written(r, 20<<10), written(r, 1<<20)
	r.put(a)
	r.put(b)
	r.coolAll()
	if got := inMemory(t, a) + inMemory(t, b); got != 0 || r.kept != 0 {
		t.Errorf("%d bytes are resident, %d kept, want none", got, r.kept)
	}
}

// A size has regions of its own: none gets one that is much too large.
func TestRegionSizes(t *testing.T) {
	for n := 16<<10 + 1; n < 8<<20; n += 4099 {
		size := regionSize(n)
		if size < n || size > n+max(n/8, pageSize) || size%pageSize != 0 || regionSize(size) != size {
			t.Fatalf("regionSize(%d) = %d", n, size)
		}
	}
}

// Regions do not overlap.
func TestRegionsAreApart(t *testing.T) {
	r := &newPool(t).regions
	var all [][]byte
	for i := range 64 {
		b := r.get(17<<10 + i*37<<10)
		b = b[:cap(b)]
		b[0], b[len(b)-1] = byte(i), byte(i)
		all = append(all, b)
	}
	for i, b := range all {
		if b[0] != byte(i) || b[len(b)-1] != byte(i) {
			t.Errorf("region %d was written to by another", i)
		}
	}
}

func mincore(b, pages []byte) error {
	_, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(memoryAt(b))), uintptr(len(b)), uintptr(unsafe.Pointer(memoryAt(pages))))
	if e != 0 {
		return e
	}
	return nil
}
