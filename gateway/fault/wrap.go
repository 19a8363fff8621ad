package fault

import (
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// A line is one connection with faults: what lies between its route and the wire.
type line struct {
	spec    Spec
	counts  *Counts
	inner   websocket.Route
	draws   lottery
	replies int
	over    bool // an ending was begun: no more replies
	stalled bool

	swap      []byte // a reply that waits for the next to go first
	swapLot   lot
	swapTimer websocket.Timer
	queue     queue
}

const (
	swapWait   = time.Second
	stallTime  = 10 * time.Minute
	muteTime   = time.Minute
	streamSeed = 0x9e3779b97f4a7c15 // the second half of the generator's state
)

// Wrap is r with the faults of s, for one connection: Conn.Use takes it in
// Upgrade. What is given is counted in n.
func Wrap(r websocket.Route, s Spec, n *Counts) websocket.Route {
	l := &line{spec: s, counts: n, inner: r}
	l.draws.PCG.Seed(s.Seed, streamSeed)
	r.Open, r.Sending, r.Closing, r.Close = l.open, l.sending, l.closing, l.close
	if s.MutePong || s.MuteClose {
		r.Control = l.control
	}
	if s.MuteClose {
		r.Limits.CloseTimeout = muteTime
	}
	return r
}

// open sends what nobody asked for, then lets the route begin.
func (l *line) open(c *websocket.Conn) error {
	if l.spec.HasUnasked {
		l.counts.add(KindUnasked)
		if err := c.Pass(ws.OpText, []byte(l.spec.Unasked)); err != nil {
			return err
		}
	}
	if l.inner.Open != nil {
		if err := l.inner.Open(c); err != nil {
			return err
		}
	}
	for _, e := range l.endings() {
		switch m := e.moment; {
		case !m.Set || m.Reply > 0:
		case m.After > 0:
			c.After(m.After, func(c *websocket.Conn) error { return l.end(c, e) })
		default:
			if err := l.end(c, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// sending takes what the route sends.
func (l *line) sending(c *websocket.Conn, op ws.OpCode, p []byte) error {
	if op.IsControl() {
		return l.sendControl(c, op, p)
	}
	lot := l.draws.draw(&l.spec)
	if l.over || l.stalled {
		return nil
	}
	l.replies++
	for _, e := range l.endings() {
		if e.moment.Set && e.moment.Reply == l.replies {
			return l.endBehind(c, e)
		}
	}
	if lot.drop {
		l.counts.add(KindDrop)
		return nil
	}
	if l.swap == nil && lot.reorder {
		l.counts.add(KindReorder)
		l.swap, l.swapLot = c.Hold(lot.encode(&l.spec, l.counts, op, p)), lot
		l.swapTimer = c.After(swapWait, l.unswap)
		return nil
	}
	if err := l.reply(c, lot, op, p); err != nil {
		return err
	}
	return l.unswap(c)
}

// reply sends one reply, and its copies behind it.
func (l *line) reply(c *websocket.Conn, lot lot, op ws.OpCode, p []byte) error {
	if lot.plain(&l.spec, p) && lot.copies == 0 && l.due(c, lot) == 0 {
		return c.Pass(op, p)
	}
	return l.emit(c, lot, lot.encode(&l.spec, l.counts, op, p))
}

// emit sends frames once and as many copies as were drawn.
func (l *line) emit(c *websocket.Conn, lot lot, frames []byte) error {
	if lot.copies > 0 {
		l.counts.add(KindDup)
	}
	due := l.due(c, lot)
	l.countWait(lot)
	for range 1 + lot.copies {
		if due == 0 {
			if err := c.PassRaw(frames); err != nil {
				return err
			}
			continue
		}
		l.queue.push(c, held{frames: c.Hold(frames), due: due})
	}
	return l.turn(c)
}

// unswap sends the reply that waited for the next to go first.
func (l *line) unswap(c *websocket.Conn) error {
	if l.swap == nil || l.stalled {
		return nil
	}
	l.swapTimer.Stop()
	frames := l.swap
	l.swap = nil
	err := l.emit(c, l.swapLot, frames)
	c.Free(frames)
	return err
}

// sendControl sends a control frame, which may overtake what is held back, but
// must not cut into a frame that has left in part. Before the answer to the
// client's close frame all that is held back leaves: nothing may follow it.
func (l *line) sendControl(c *websocket.Conn, op ws.OpCode, p []byte) error {
	switch {
	case l.stalled:
		return nil
	case op == ws.OpClose:
		l.flush(c)
	case l.queue.inFrame():
		l.queue.cutIn(c.Hold(websocket.AppendFrame(nil, op, p)))
		return nil
	}
	return c.Pass(op, p)
}

// control is mute to what it is asked to be mute to.
func (l *line) control(c *websocket.Conn, op ws.OpCode, p []byte) (bool, error) {
	if l.inner.Control != nil {
		if done, err := l.inner.Control(c, op, p); done || err != nil {
			return done, err
		}
	}
	switch {
	case op == ws.OpPing && l.spec.MutePong:
		l.counts.add(KindMutePong)
		return true, nil
	case op == ws.OpClose && l.spec.MuteClose:
		l.counts.add(KindMuteClose)
		l.flush(c)
		return true, nil
	}
	return false, nil
}

// closing puts a close of the route's behind what is held back. Before any other
// all of that leaves.
func (l *line) closing(c *websocket.Conn, e websocket.CloseError) (later bool) {
	if e.Cause == websocket.CauseHandler && !l.stalled && l.holds() {
		l.over = true
		_ = l.unswap(c)
		l.queue.push(c, held{due: l.queue.last, act: func(c *websocket.Conn) error { return c.Close(e.Code, e.Reason) }})
		_ = l.turn(c)
		return true
	}
	if e.Cause == websocket.CauseMemory { // there are to be fewer buffers, not others
		l.queue.drop(c)
	}
	l.flush(c)
	return l.inner.Closing != nil && l.inner.Closing(c, e)
}

// close gives back what is held.
func (l *line) close(c *websocket.Conn, cause websocket.CloseError) {
	l.over = true
	if l.swap != nil {
		c.Free(l.swap)
		l.swap = nil
	}
	l.queue.drop(c)
	if l.inner.Close != nil {
		l.inner.Close(c, cause)
	}
}

// holds reports whether anything is held back.
func (l *line) holds() bool { return l.swap != nil || len(l.queue.held) > 0 }

// flush sends all that is held back now.
func (l *line) flush(c *websocket.Conn) {
	if l.stalled {
		return
	}
	_ = l.unswap(c)
	l.queue.flush(c)
}
