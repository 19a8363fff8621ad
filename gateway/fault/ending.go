package fault

import (
	"echogate/poller/websocket"
)

// An ending is something that happens to a connection at a Moment.
type ending struct {
	moment Moment
	kind   Kind
}

// endings are those of the grammar; most are not set.
func (l *line) endings() [5]ending {
	s := &l.spec
	return [...]ending{
		{s.Close, KindClose}, {s.RST, KindRST}, {s.FIN, KindFIN}, {s.HalfClose, KindHalfClose}, {s.Stall, KindStall},
	}
}

// endBehind ends the connection behind what is held back.
func (l *line) endBehind(c *websocket.Conn, e ending) error {
	if err := l.unswap(c); err != nil {
		return err
	}
	l.over = true
	if len(l.queue.held) == 0 {
		return l.end(c, e)
	}
	l.queue.push(c, held{due: l.queue.last, act: func(c *websocket.Conn) error { return l.end(c, e) }})
	return nil
}

// end ends the connection, or what is left of it to the client, now.
func (l *line) end(c *websocket.Conn, e ending) error {
	if !c.State().Open() || l.stalled {
		return nil
	}
	l.over = true
	l.counts.add(e.kind)
	switch e.kind {
	case KindClose:
		return c.Close(l.spec.Code, l.spec.Reason)
	case KindRST:
		c.End(websocket.Reset)
	case KindFIN:
		c.End(websocket.FIN)
	case KindHalfClose:
		c.End(websocket.HalfClose)
	case KindStall:
		l.stalled = true
		c.Pause()
		c.After(stallTime, func(c *websocket.Conn) error { c.End(websocket.Reset); return nil })
	}
	return nil
}
