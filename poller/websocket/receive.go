package websocket

import (
	"errors"
	"runtime/debug"

	"github.com/gobwas/ws"
)

// tailMax is the longest unfinished frame, header and payload, that the mover
// keeps as it came; a longer one gets memory of its own.
const tailMax = 64 << 10

// Receive takes what was read, in, and returns how many bytes of it are
// consumed and what the peer must get: a slice inside in, or of memory of c,
// good until Sent. It makes no system call. It may overwrite all of in. What it
// did not consume, in[n:], is to be given again, as Receive left it, in front
// of the next bytes: an incomplete head or frame header, or an unfinished frame
// of at most 64 KiB.
//
// It also stops when the connection was paused, when it holds enough output, or
// when a long reply must leave before the rest is looked at; Stopped tells this
// apart. The rest is then given again as soon as the output was sent and the
// connection is not held: no event will come for it. Where permessage-deflate was
// negotiated it also stops when it has inflated as much as is fair: the rest is
// given again when the others have had their turn.
//
// A non-nil error ends the connection: out has the last bytes. For a
// CloseError with Peer set both close frames are exchanged and TCP may be
// closed once out was sent; after any other the peer may still be sending.
func (c *Conn) Receive(in []byte) (n int, out []byte, err error) {
	c.buf, c.inEvent, c.stopped = in, true, false
	n, err = c.take(in)
	if err != nil {
		err = c.fail(err)
	}
	if n > 0 && c.st.flags&flagLong != 0 && (c.work == nil || c.work.left == 0) {
		c.st.flags &^= flagLong
	}
	c.inEvent = false
	return n, c.output(), err
}

// Stopped reports whether the last Receive left whole frames untaken.
func (c *Conn) Stopped() bool { return c.stopped }

// take runs requests, then frames. A handler's panic is its error.
func (c *Conn) take(in []byte) (n int, err error) {
	defer c.recovered(&err)
	for c.st.phase == phaseHTTP && n < len(in) {
		if len(c.out) > maxPipelined {
			c.stopped = true
			return n, nil
		}
		k, err := c.handshake(in[n:])
		if n += k; k == 0 || err != nil {
			return n, err
		}
	}
	for n < len(in) {
		if c.st.phase > phaseOpen {
			return c.uncommon(in, n)
		}
		if c.stopped = c.stopped || c.mustStop(); c.stopped {
			return n, nil
		}
		k, err := c.short(in, n)
		if k == 0 && err == nil {
			k, err = c.next(in, n)
		}
		if n += k; k == 0 || err != nil {
			return n, err
		}
	}
	return n, nil
}

// maxPipelined is how many bytes of answers to pipelined plain requests are
// held before they are sent.
const maxPipelined = 64 << 10

// mustStop reports whether what follows in this read has to wait.
func (c *Conn) mustStop() bool {
	if c.st.flags&(flagPaused|flagJob) != 0 {
		return true
	}
	high := c.rt.Limits.HighWater
	return len(c.out) > 0 && high > 0 && len(c.out) > high
}

// recovered turns a panic into an error. Each event is recovered by itself, so
// that a handler's panic costs one connection.
func (c *Conn) recovered(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{v, debug.Stack()}
	}
}

// fail ends the connection: a close frame with the code of err, unless one was
// sent already or none is due. Nothing follows it (RFC 6455 §7.1.7). It returns
// err, joined by the panic of Route.Close if that panics.
func (c *Conn) fail(err error) (ended error) {
	defer c.unfinished()
	if c.st.phase == phaseEnded {
		return err
	}
	e := closeFor(err)
	if v, ok := violationOf(err, e); ok {
		c.counts.Violations[v]++
	}
	sent := uint16(0)
	if c.st.Open() && !e.Peer && e.Code != ws.StatusAbnormalClosure {
		if err = c.lastWord(e, err); c.st.Open() {
			c.putClose(e)
			sent = closeSent
		}
	}
	if c.st.phase != phaseClosing {
		c.st.closes(e.Cause)
	}
	c.st.control |= sent
	c.st.phase = phaseEnded
	defer func() {
		if v := recover(); v != nil {
			ended = errors.Join(err, &PanicError{v, debug.Stack()})
		}
	}()
	c.closed(e)
	return err
}

// handled maps what a handler returned: a CloseError of its own begins a close
// handshake, anything else fails the connection.
func (c *Conn) handled(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[CloseError](err)
	if !ok || e.Cause != CauseHandler || e.Peer {
		return err
	}
	if !c.st.Open() {
		return nil // it had closed already
	}
	return c.Close(e.Code, e.Reason)
}

// Output is what the event has to send so far, for a Loop's Flush.
func (c *Conn) Output() []byte { return c.output() }

// output is what the event has to send so far.
func (c *Conn) output() []byte {
	if len(c.out) > 0 {
		return c.out
	}
	return c.buf[c.runAt:c.runEnd:c.runEnd]
}

// Sent tells that what Receive, Filled and Call returned was sent, or copied by
// the mover. The memory goes back.
func (c *Conn) Sent() {
	if raceEnabled {
		poison(c.buf[c.runAt:c.runEnd])
	}
	c.runAt, c.runEnd, c.curEnd = 0, 0, -1
	if c.out != nil || c.spent != nil {
		c.loop.Free(c.lent)
		c.loop.Free(c.spent)
		c.out, c.lent, c.spent, c.parted = nil, nil, nil, false
	}
}

// Adopt gives the mover the memory of a reply that lies in a message's own memory
// and whose last bytes, unsent, the socket did not take: m[at:], instead of a copy
// of them. The mover gives it back with Free. first tells whether the reply is what
// Filled returned or what Receive did. nil: it does not lie there, or so little is
// left that a copy is better.
func (c *Conn) Adopt(first bool, unsent int) (m []byte, at int) {
	if c.spent == nil || first != c.parted || !first && c.runEnd == 0 || 2*unsent < cap(c.spent) {
		return nil, 0
	}
	if !first {
		c.runAt, c.runEnd = 0, 0
	}
	m, c.spent = c.spent, nil
	return m, len(m) - unsent
}

// Room is memory of a large frame under way, for the mover to read into; nil
// when there is none. With all set p holds the whole rest of the frame, and
// other bytes may be read behind it.
func (c *Conn) Room() (p []byte, all bool) {
	w := c.work
	if w == nil || w.left < roomMin || !c.st.Open() || c.rt.Wire != nil {
		return nil, false
	}
	if len(w.message) == cap(w.message) {
		c.grow(w, 1)
	}
	end := min(len(w.message)+w.left, cap(w.message))
	p = w.message[len(w.message):end:end]
	return p, len(p) == w.left
}

// roomMin is the smallest rest of a frame that is worth a read of its own.
const roomMin = 16 << 10

// Filled takes n bytes that were read into Room. What it returns must leave
// before what the next Receive returns, which the mover calls at once, with the
// bytes behind the frame or with none; both are good until Sent.
func (c *Conn) Filled(n int) (out []byte, err error) {
	w := c.work
	at := len(w.message)
	w.message = w.message[:at+n]
	c.buf, c.inEvent = nil, true
	err = c.filled(w, w.message[at:])
	if err != nil {
		err = c.fail(err)
	}
	c.inEvent = false
	if len(c.out) > 0 {
		return nil, err // Receive returns it
	}
	out = c.output()
	c.parted = c.spent != nil
	c.runAt, c.runEnd, c.curEnd = 0, 0, -1
	return out, err
}

func (c *Conn) filled(w *Work, p []byte) (err error) {
	defer c.recovered(&err)
	return c.arrived(w, p)
}

// Call runs f on the connection outside a read: timers, Handle.Do, the mover's
// own pings and closes. What it returns is to be sent, and means the same, as
// what Receive returns.
func (c *Conn) Call(f func(*Conn) error) (out []byte, err error) {
	c.buf, c.stopped = nil, false
	if err = c.call(f); err != nil {
		err = c.fail(err)
	}
	return c.output(), err
}

func (c *Conn) call(f func(*Conn) error) (err error) {
	defer c.recovered(&err)
	return c.handled(f(c))
}
