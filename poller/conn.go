package poller

import (
	"sync/atomic"

	"echogate/poller/websocket"
)

// slot is a connection: its place is its descriptor. It has no pointers, so
// that the collector never looks at a million of them, and at most 48 bytes,
// which is most of what an idle connection costs.
type slot struct {
	owner  atomic.Uint64 // see below; written by its loop, read by any goroutine
	link                 // in the loop's wheel
	heard  uint32        // tick of the last byte received
	opened uint32        // tick of accept, of the request under way, of the upgrade
	busy   uint32        // index of its working state in the loop; 0: none
	ws     websocket.State
}

// The owner word: generation << 32 | name << 18 | up << 17 | full << 16 |
// loop + 1. The generation tells the connections apart that have had this
// descriptor; name is the number of the pattern that its request was for, 0
// before; up says that it has upgraded; full says that the backlog is above its
// high-water mark; the rest is 0 while the slot is free.
const (
	ownerFull  = 1 << 16
	ownerUp    = 1 << 17
	ownerName  = 18
	ownerNames = 1<<14 - 1
)

func (s *slot) generation() uint32 { return uint32(s.owner.Load() >> 32) }

// is reports whether the slot holds a connection of loop l.
func (s *slot) is(l *loop) bool { return uint16(s.owner.Load()) == l.tag }

// take makes the slot a new connection of loop tag.
func (s *slot) take(tag uint16, tick uint32) {
	generation := s.owner.Load()>>32 + 1
	s.heard, s.opened, s.busy, s.ws = tick, tick, 0, websocket.State{}
	s.owner.Store(generation<<32 | uint64(tag))
}

// free ends the connection; its generation stays, for handles to compare.
func (s *slot) free() { s.owner.Store(s.owner.Load() &^ (1<<32 - 1)) }

// setFull tells other goroutines whether the backlog takes more.
func (s *slot) setFull(full bool) {
	word := s.owner.Load()
	if full {
		s.owner.Store(word | ownerFull)
	} else if word&ownerFull != 0 {
		s.owner.Store(word &^ ownerFull)
	}
}

// setName tells other goroutines which route the connection's request is for.
func (s *slot) setName(id uint16) {
	s.owner.Store(s.owner.Load()&^(ownerNames<<ownerName) | uint64(id)<<ownerName)
}

func (s *slot) name() uint16 { return uint16(s.owner.Load() >> ownerName & ownerNames) }

// setUp notes that the connection has upgraded on a route.
func (s *slot) setUp(id uint16) {
	s.setName(id)
	s.owner.Store(s.owner.Load() | ownerUp)
}

// up reports whether setUp was called.
func (s *slot) up() bool { return s.owner.Load()&ownerUp != 0 }

// jitter is a number in [0, 1<<16) that stays with the connection, from its
// descriptor and generation: so that what happens to many is spread.
func (s *slot) jitter(fd int) uint32 {
	x := uint64(fd)*0x9E3779B97F4A7C15 + uint64(s.generation())*0xBF58476D1CE4E5B9
	x ^= x >> 31
	return uint32(x * 0x94D049BB133111EB >> 48)
}

// chunkSize slots are made at once.
const chunkSize = 4096

// table is all slots, by descriptor. Chunks are made as descriptors need them
// and stay. Its copies are the same table.
type table struct {
	chunks []atomic.Pointer[[chunkSize]slot]
}

func newTable(descriptors int) table {
	return table{make([]atomic.Pointer[[chunkSize]slot], (descriptors+chunkSize-1)/chunkSize)}
}

// at returns the slot of a descriptor, nil if none was ever needed there.
func (t table) at(fd int) *slot {
	if i := uint(fd) / chunkSize; i < uint(len(t.chunks)) {
		if c := t.chunks[i].Load(); c != nil {
			return &c[uint(fd)%chunkSize]
		}
	}
	return nil
}

// make returns the slot of a descriptor; nil if it is beyond the table.
func (t table) make(fd int) *slot {
	if s := t.at(fd); s != nil || fd >= len(t.chunks)*chunkSize {
		return s
	}
	t.chunks[fd/chunkSize].CompareAndSwap(nil, new([chunkSize]slot)) // another loop may be first
	return t.at(fd)
}

// top is one more than the highest descriptor with a slot.
func (t table) top() int {
	for i := len(t.chunks); i > 0; i-- {
		if t.chunks[i-1].Load() != nil {
			return i * chunkSize
		}
	}
	return 0
}
