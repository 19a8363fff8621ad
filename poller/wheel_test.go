package poller

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// links is what a wheel times in tests and benchmarks: links of connections,
// whose refs are positive, and of timers, whose refs are negative.
type links struct{ conns, timers []link }

func newLinks(n int) *links { return &links{make([]link, n+1), make([]link, n+1)} }

func (e *links) at(r ref) *link {
	if r > 0 {
		return &e.conns[r]
	}
	return &e.timers[-r]
}

// wheelModel is the naive wheel: a map from entries to their ticks.
type wheelModel struct {
	wheel
	ticks map[ref]uint32
	rng   *rand.Rand
}

func newWheelModel(start uint32, entries int, seed uint64) *wheelModel {
	m := &wheelModel{ticks: map[ref]uint32{}, rng: rand.New(rand.NewPCG(seed, uint64(start)))}
	m.at, m.last = newLinks(entries).at, start
	return m
}

// any draws an entry: a connection or a timer.
func (m *wheelModel) any(entries int) ref {
	r := ref(m.rng.IntN(entries) + 1)
	if m.rng.IntN(2) == 0 {
		return -r
	}
	return r
}

// delay draws how far off a deadline is: passed, near, around one turn of the
// wheel, many turns.
func (m *wheelModel) delay() uint32 {
	switch m.rng.IntN(5) {
	case 0:
		return -uint32(m.rng.IntN(1000)) // passed
	case 1:
		return uint32(m.rng.IntN(10))
	case 2:
		return uint32(m.rng.IntN(wheelSlots))
	case 3:
		return uint32(wheelSlots - 5 + m.rng.IntN(10))
	}
	return uint32(m.rng.IntN(20 * wheelSlots))
}

func (m *wheelModel) file(r ref, tick uint32) {
	m.wheel.file(r, tick)
	if int32(tick-m.last) <= 0 {
		tick = m.last + 1
	}
	if tick == 0 {
		tick = 1
	}
	m.ticks[r] = tick
}

func (m *wheelModel) remove(r ref) {
	m.wheel.remove(r)
	delete(m.ticks, r)
}

// advance turns both and compares what is due.
func (m *wheelModel) advance(t *testing.T, now uint32) {
	t.Helper()
	var want []ref
	for r, tick := range m.ticks {
		if int32(tick-now) <= 0 {
			want = append(want, r)
			delete(m.ticks, r)
		}
	}
	got := m.wheel.advance(now, nil)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("at tick %d: due %v, want %v", now, got, want)
	}
}

// agrees compares the number of entries, and the tick of each.
func (m *wheelModel) agrees(t *testing.T, entries int) {
	t.Helper()
	if m.count != len(m.ticks) {
		t.Fatalf("%d entries, want %d", m.count, len(m.ticks))
	}
	for r := ref(-entries); r <= ref(entries); r++ {
		if got := m.at(r).filed; got != m.ticks[r] {
			t.Fatalf("entry %d is filed at %d, want %d", r, got, m.ticks[r])
		}
	}
}

func TestWheelAgreesWithMap(t *testing.T) {
	const entries = 200
	starts := []uint32{0, 1, wheelSlots - 3, 1<<31 - 100, 1<<32 - 3*wheelSlots, 1<<32 - 50, 1<<32 - 1}
	for _, start := range starts {
		t.Run(fmt.Sprint("from ", start), func(t *testing.T) {
			for seed := range uint64(5) {
				m := newWheelModel(start, entries, seed)
				for range 3000 {
					m.step(t, entries)
				}
				m.agrees(t, entries)
			}
		})
	}
}

// step is one random thing that happens to a wheel. Most turns are of a few
// ticks, as they are in a loop that is not late.
func (m *wheelModel) step(t *testing.T, entries int) {
	switch m.rng.IntN(8) {
	case 0, 1, 2:
		m.file(m.any(entries), m.last+m.delay())
	case 3:
		m.remove(m.any(entries))
	case 4, 5:
		m.advance(t, m.last+uint32(m.rng.IntN(4)))
	case 6:
		m.advance(t, m.last+uint32(m.rng.IntN(300)))
	case 7:
		if m.rng.IntN(20) == 0 { // very late: more than one turn at once
			m.advance(t, m.last+uint32(m.rng.IntN(3*wheelSlots)))
		}
	}
}

func TestWheelAcrossTheWrap(t *testing.T) {
	m := newWheelModel(1<<32-10, 4, 1)
	m.file(1, 1<<32-1)
	m.file(2, 0) // 0 stands for not filed: one tick later
	m.file(3, 5)
	m.file(4, wheelSlots) // the same head as tick 0
	for now := m.last; now != 10; now++ {
		m.advance(t, now)
	}
	if got := slices.Collect(maps.Keys(m.ticks)); !slices.Equal(got, []ref{4}) {
		t.Fatalf("left in the wheel: %v, want [4]", got)
	}
	m.advance(t, wheelSlots-1)
	m.advance(t, wheelSlots)
	m.agrees(t, 4)
}

func TestWheelGoesBackNever(t *testing.T) {
	m := newWheelModel(100, 1, 1)
	m.file(1, 101)
	if due := m.wheel.advance(99, nil); due != nil || m.last != 100 {
		t.Fatalf("a step back gave %v and left the wheel at %d", due, m.last)
	}
	m.advance(t, 101)
}

func TestWheelAllocatesNothing(t *testing.T) {
	m := newWheelModel(1, 100, 1)
	due := make([]ref, 0, 200)
	n := testing.AllocsPerRun(100, func() {
		for r := ref(1); r <= 100; r++ {
			m.wheel.file(r, m.last+uint32(r))
			m.wheel.file(-r, m.last+uint32(r))
			m.wheel.remove(-r)
		}
		due = m.wheel.advance(m.last+200, due[:0])
	})
	if n != 0 || len(due) != 100 {
		t.Fatalf("%v allocations for %d entries, want none for 100", n, len(due))
	}
}
