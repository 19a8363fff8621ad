package websocket

import (
	"errors"
	"runtime/debug"
	"time"

	"github.com/gobwas/ws"
)

// This file is what a connection does whose Route has Wire, Sending or Closing, or
// that negotiated permessage-deflate. Its phase is phaseHooked, so that the walk of
// a plain message, which compares the phase anyway, has nothing of this on it.

// opens makes the connection's phase that of an open one.
func (c *Conn) opens() {
	r := c.rt
	c.st.phase = phaseOpen
	if r.Wire != nil || r.Sending != nil || r.Closing != nil || c.st.Compressed() {
		c.st.phase = phaseHooked
	}
}

// uncommon is the rest of take, from in[n:] on, for a connection that is closing,
// has ended, or has hooks.
func (c *Conn) uncommon(in []byte, n int) (int, error) {
	limit, err := c.wire(in, n)
	c.inflated = 0
	for k := 1; n < limit && k > 0 && err == nil && c.st.phase != phaseEnded; n += k {
		if c.stopped = c.stopped || c.mustStop() || c.inflated >= turnInflated; c.stopped {
			break
		}
		k, err = c.either(in[:limit], n)
	}
	switch {
	case err != nil:
		return n, err
	case c.st.phase == phaseEnded:
		return len(in), nil
	}
	c.stopped = c.stopped || limit < len(in)
	c.noteSeen(limit - n)
	return n, nil
}

// either is next, or what takes its place at the first frame of a compressed
// message.
func (c *Conn) either(in []byte, at int) (n int, err error) {
	if in[at]&rsv1Bit != 0 && c.st.Compressed() && (c.work == nil || c.work.left == 0) {
		return c.compressed(in, at)
	}
	return c.next(in, at)
}

// wire shows the Route what is new in in[n:]. Frames may be taken up to limit.
func (c *Conn) wire(in []byte, n int) (limit int, err error) {
	if c.st.phase != phaseHooked || c.rt.Wire == nil {
		return len(in), nil
	}
	if c.work != nil {
		n += c.work.seen
	}
	if n == len(in) {
		return n, nil
	}
	k, err := c.rt.Wire(c, in[n:])
	return min(n+max(k, 1), len(in)), err
}

// noteSeen keeps how many bytes of what the mover keeps Wire has been shown.
func (c *Conn) noteSeen(seen int) {
	if c.st.phase != phaseHooked || c.rt.Wire == nil {
		seen = 0
	}
	if seen > 0 || c.work != nil {
		c.working().seen = seen
	}
}

// divert is Send on a connection with hooks, or on one that is not open.
func (c *Conn) divert(op ws.OpCode, p []byte) error {
	switch {
	case !c.st.Open():
		return ErrGone
	case !c.inEvent && c.full():
		return ErrBacklog
	case c.rt.Sending == nil || c.unhooked:
		return c.Pass(op, p)
	}
	defer c.unhook()()
	return c.rt.Sending(c, op, p)
}

// unhook keeps hooks from running until the function that it returns is called: a
// hook that sends does not run again for that.
func (c *Conn) unhook() func() {
	c.unhooked = true
	return func() { c.unhooked = false }
}

// parting tells the Route of a close frame of ours. It reports whether the Route
// puts it off.
func (c *Conn) parting(e CloseError) (later bool) {
	if c.st.phase != phaseHooked || c.rt.Closing == nil || c.unhooked {
		return false
	}
	defer c.unhook()()
	return c.rt.Closing(c, e)
}

// lastWord is parting for a connection that ends because of err. A panic of
// Closing is joined to err.
func (c *Conn) lastWord(e CloseError, err error) (ended error) {
	defer func() {
		if v := recover(); v != nil {
			ended = errors.Join(err, &PanicError{v, debug.Stack()})
		}
	}()
	c.parting(e)
	return err
}

// Pass sends what the route has been given already: as Send does, but it is
// never refused for a backlog, and goes past Route.Sending.
func (c *Conn) Pass(op ws.OpCode, p []byte) error {
	if !c.st.Open() {
		return ErrGone
	}
	c.counts.Out[op%opcodes].add(len(p))
	if !c.compress(op, p) && !c.inPlace(op, p) {
		c.out = AppendFrame(c.spill(), op, p)
	}
	return nil
}

// PassRaw is Pass for bytes as they are.
func (c *Conn) PassRaw(b []byte) error {
	if c.st.phase == phaseEnded {
		return ErrGone
	}
	c.out = append(c.spill(), b...)
	return nil
}

// Hold returns a copy of p for a route that sends it later. It counts as unsent
// output, to the bound of all connections' buffers too, until Free takes it back:
// in Route.Close at the latest. It must not be appended to.
func (c *Conn) Hold(p []byte) []byte {
	b := append(c.loop.Alloc(len(p)), p...)
	c.working().held += cap(b)
	return b
}

// Free gives back what Hold has returned.
func (c *Conn) Free(b []byte) {
	c.working().held -= cap(b)
	c.loop.Free(b)
}

// Wait, in Upgrade, puts the handshake off. It returns an error that Upgrade has
// to return; Upgrade runs again d later, and then Wait returns nil. It may be
// called once in a handshake. What waits is an entry in the loop's wheel.
func (c *Conn) Wait(d time.Duration) error {
	w := c.working()
	if w.waited = !w.waited; !w.waited {
		return nil
	}
	c.Pause()
	c.After(d, func(c *Conn) error { c.Resume(); return nil })
	return errWait
}

// errWait is what Wait returns. No client gets it.
var errWait = &Refusal{Status: 500, Text: "Conn.Wait outside of Upgrade", Label: RejectHandler}

// Choose, in Upgrade, sets the subprotocol that is answered: one that the client
// has offered, or, to see what it makes of that, another. Empty: none.
func (c *Conn) Choose(protocol string) {
	if c.up.protocol = nil; protocol == "" {
		return
	}
	if !isToken([]byte(protocol)) {
		panic("websocket: bad subprotocol")
	}
	c.up.protocol = []byte(protocol)
}

// Route is the connection's Route: that of the table, or the one that Use set.
// It must not be changed.
func (c *Conn) Route() *Route { return c.rt }

// Now is the loop's clock, which After counts on. It moves by the loop's tick.
func (c *Conn) Now() time.Duration { return c.loop.Now() }
