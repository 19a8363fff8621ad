package poller

import "time"

// A tick, and how many there are in a second.
const (
	tickTime       = 10 * time.Millisecond
	ticksPerSecond = uint32(time.Second / tickTime)
)

// wheelSlots is a power of two. With ticks of 10 ms the wheel turns once in
// 82 s, and an entry that is due later is looked at once in each turn.
const wheelSlots = 1 << 13

// ref names an entry of the wheel: descriptor + 1 of a connection, −(index + 1)
// of a timer, 0 for none.
type ref int32

// link is what an entry needs to be in the wheel: two links and its tick.
type link struct {
	next, prev ref
	filed      uint32 // the tick it is filed at; 0: not in the wheel
}

// wheel is a hashed timing wheel whose entries are links inside what they time
// (Varghese and Lauck 1987, scheme 6): filing and taking out are O(1), and it
// holds nothing but its heads. It belongs to one loop.
type wheel struct {
	heads [wheelSlots]ref
	last  uint32 // the tick up to which it has turned
	count int
	at    func(ref) *link
}

// file puts an entry in at tick, or at the next one that is still to come,
// moving it if it is in already.
func (w *wheel) file(r ref, tick uint32) {
	l := w.at(r)
	if l.filed != 0 {
		w.remove(r)
	}
	if before(tick, w.last+1) {
		tick = w.last + 1
	}
	if tick == 0 { // 0 means not filed
		tick = 1
	}
	head := &w.heads[tick%wheelSlots]
	l.filed, l.prev, l.next = tick, 0, *head
	if l.next != 0 {
		w.at(l.next).prev = r
	}
	*head = r
	w.count++
}

// remove takes an entry out. It does nothing for one that is not in.
func (w *wheel) remove(r ref) {
	l := w.at(r)
	if l.filed == 0 {
		return
	}
	if l.prev != 0 {
		w.at(l.prev).next = l.next
	} else {
		w.heads[l.filed%wheelSlots] = l.next
	}
	if l.next != 0 {
		w.at(l.next).prev = l.prev
	}
	*l = link{}
	w.count--
}

// advance turns the wheel up to now and appends the entries that are due to
// dst. They are out of the wheel then.
func (w *wheel) advance(now uint32, dst []ref) []ref {
	steps := now - w.last
	if int32(steps) <= 0 {
		return dst
	}
	if w.count == 0 {
		w.last = now
		return dst
	}
	from := w.last + 1
	if steps > wheelSlots { // each head once is enough
		from = now - wheelSlots + 1
	}
	w.last = now
	for t := from; ; t++ {
		dst = w.due(t%wheelSlots, now, dst)
		if t == now {
			return dst
		}
	}
}

// due takes the entries of one head that are due at now.
func (w *wheel) due(head, now uint32, dst []ref) []ref {
	for r := w.heads[head]; r != 0; {
		l := w.at(r)
		next := l.next
		if !before(now, l.filed) {
			w.remove(r)
			dst = append(dst, r)
		}
		r = next
	}
	return dst
}

// before compares ticks, which wrap: right for times less than 248 days apart.
func before(a, b uint32) bool { return int32(a-b) < 0 }
