package fault

import (
	"time"

	"echogate/poller/websocket"
)

// held is something that leaves later: frames of a reply, or a function that ends
// the connection behind them.
type held struct {
	frames []byte // of Conn.Hold
	due    time.Duration
	act    func(c *websocket.Conn) error
}

// A queue is what a connection holds back, in the order in which it leaves. One
// timer waits for the first.
type queue struct {
	held  []held
	sent  int           // bytes of the first that have left
	bytes int           // of all
	last  time.Duration // when the last of them is due, or was
	next  time.Duration // when the rate lets the next byte leave
	timer websocket.Timer
	timed bool // the timer waits
	full  bool // the connection is not read
}

// piece is how often a reply under rate= gets on: 20 times a second, or by a byte
// at a time.
const piece = 50 * time.Millisecond

// due is when a reply may leave; 0: now. Replies never overtake each other.
func (l *line) due(c *websocket.Conn, lot lot) time.Duration {
	s, q := &l.spec, &l.queue
	if s.Delay == 0 && lot.jitter == 0 && s.Rate == 0 && len(q.held) == 0 {
		return 0
	}
	q.last = max(q.last, c.Now()+s.Delay+lot.jitter, 1)
	return q.last
}

// countWait counts what makes a reply wait.
func (l *line) countWait(lot lot) {
	for _, k := range []struct {
		given bool
		kind  Kind
	}{{l.spec.Delay > 0, KindDelay}, {lot.jitter > 0, KindJitter}, {l.spec.Rate > 0, KindRate}} {
		if k.given {
			l.counts.add(k.kind)
		}
	}
}

// push puts h behind the others. Above the high-water mark of what is held the
// connection is not read.
func (q *queue) push(c *websocket.Conn, h held) {
	q.held = append(q.held, h)
	q.bytes += len(h.frames)
	if high := c.Route().Limits.HighWater; high > 0 && q.bytes > high && !q.full {
		q.full = true
		c.Pause()
	}
}

// inFrame reports whether a frame has left in part.
func (q *queue) inFrame() bool { return q.sent > 0 }

// cutIn puts a control frame behind the frame that has left in part, and behind
// those that have cut in before.
func (q *queue) cutIn(frame []byte) {
	q.held = append(q.held, held{})
	at := 1
	for at < len(q.held)-1 && q.held[at].due == 0 {
		at++
	}
	copy(q.held[at+1:], q.held[at:])
	q.held[at] = held{frames: frame}
	q.bytes += len(frame)
}

// pop takes the first off the queue.
func (q *queue) pop(c *websocket.Conn) {
	h := q.held[0]
	q.held[0] = held{}
	q.held, q.sent = q.held[1:], 0
	q.bytes -= len(h.frames)
	if h.frames != nil {
		c.Free(h.frames)
	}
	if low := c.Route().Limits.LowWater; q.full && q.bytes <= max(low, 0) {
		q.full = false
		c.Resume()
	}
	if len(q.held) == 0 {
		q.held = nil // a burst leaves nothing behind
	}
}

// turn sends what is due, and waits for the rest.
func (l *line) turn(c *websocket.Conn) error {
	q, now := &l.queue, c.Now()
	for len(q.held) > 0 && !l.stalled && c.State().Open() {
		h := q.held[0]
		if h.due > now {
			break
		}
		if h.act != nil {
			q.pop(c)
			if err := h.act(c); err != nil {
				return err
			}
			continue
		}
		if l.spec.Rate > 0 && q.next > now {
			break
		}
		if err := l.send(c, now); err != nil {
			return err
		}
	}
	l.wait(c, now)
	return nil
}

// send sends from the first of the queue: all of it, or as much as the rate lets
// out at a time.
func (l *line) send(c *websocket.Conn, now time.Duration) error {
	q := &l.queue
	rest := q.held[0].frames[q.sent:]
	if rate := l.spec.Rate; rate > 0 {
		rest = rest[:min(len(rest), max(rate/int(time.Second/piece), 1))]
		q.next = max(q.next, now-piece) + time.Duration(len(rest))*time.Second/time.Duration(rate)
	}
	if err := c.PassRaw(rest); err != nil {
		return err
	}
	if q.sent += len(rest); q.sent == len(q.held[0].frames) {
		q.pop(c)
	}
	return nil
}

// wait sets the timer for the first of the queue.
func (l *line) wait(c *websocket.Conn, now time.Duration) {
	q := &l.queue
	if q.timed || len(q.held) == 0 || l.stalled || !c.State().Open() {
		return
	}
	at := q.held[0].due
	if l.spec.Rate > 0 {
		at = max(at, q.next)
	}
	q.timed = true
	q.timer = c.After(at-now, func(c *websocket.Conn) error {
		q.timed = false
		return l.turn(c)
	})
}

// flush sends all frames now.
func (q *queue) flush(c *websocket.Conn) {
	for len(q.held) > 0 {
		if h := q.held[0]; h.act == nil {
			_ = c.PassRaw(h.frames[q.sent:])
		}
		q.pop(c)
	}
}

// drop gives back what is held.
func (q *queue) drop(c *websocket.Conn) {
	if q.full {
		q.full = false
		c.Resume()
	}
	for len(q.held) > 0 {
		q.pop(c)
	}
}
