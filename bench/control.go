package main

import (
	"github.com/gobwas/ws"
)

// maxSide bounds the control frames that wait for a full socket. RFC 6455
// §5.5.3 lets a client leave pings unanswered that are not the last.
const maxSide = 64 << 10

// parse reads p frame by frame: it is not what a server sends that answers each
// message with one frame.
func (l *loop) parse(c *conn, p []byte) *failure {
	r := l.parsers[c.id]
	if r == nil {
		r = newParser(l.stream, c.rx)
		l.parsers[c.id] = r
		c.flags |= flagParser
	}
	f := r.feed(l.stream, p, func(op ws.OpCode, payload []byte) *failure {
		return l.control(c, op, payload)
	})
	if f != nil {
		return f
	}
	if r.begun && r.message >= c.want {
		return &failure{KindCorrupt, "an echo of what was never sent"}
	}
	c.rx = r.message * uint64(l.stream.inFrame)
	if r.rests() {
		delete(l.parsers, c.id)
		c.flags &^= flagParser
	}
	return nil
}

// control answers a control frame of the server.
func (l *loop) control(c *conn, op ws.OpCode, payload []byte) *failure {
	switch op {
	case ws.OpPing:
		l.sendControl(c, ws.NewPongFrame(payload))
	case ws.OpClose:
		if c.state == stateClosing {
			c.flags |= flagSaidClosed
			return nil
		}
		l.sendControl(c, ws.NewCloseFrame(payload))
		return closeFailure(payload)
	}
	return nil
}

// sendControl sends a control frame as soon as the socket takes it: between two
// frames of the stream.
func (l *loop) sendControl(c *conn, f ws.Frame) {
	side := l.sides[c.id]
	if len(side) > maxSide {
		return
	}
	l.sides[c.id] = append(side, ws.MustCompileFrame(ws.MaskFrame(f))...)
	c.flags |= flagSide
	l.pump(c)
}

// pumpSide sends the control frames that wait, and before them the rest of the
// frame that is under way. It reports whether all was taken.
func (l *loop) pumpSide(c *conn) bool {
	frame := uint64(l.stream.outFrame)
	if !l.write(c, (c.tx+frame-1)/frame*frame) {
		return false
	}
	side := l.sides[c.id]
	if c.flags&flagTLS != 0 {
		return l.sealSide(c, side)
	}
	n, errno := send(int(c.fd), &side[0], len(side))
	switch {
	case errno != 0:
		l.unsent(c, errno)
		return false
	case n < len(side):
		l.sides[c.id] = side[n:]
		return false
	}
	delete(l.sides, c.id)
	c.flags &^= flagSide
	return true
}

// goodbye begins the close handshake. The server ends the connection (RFC 6455
// §7.1.1), which leaves the client's port free for the next one.
func (l *loop) goodbye(c *conn) {
	c.state = stateClosing
	c.since = l.now
	l.sendControl(c, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
}
