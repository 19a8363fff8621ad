package websocket

import "errors"

// Release ends the protocol's part of a connection whose transport has ended,
// or is about to: Route.Close runs if it has not, then Route.Gone, and memory is
// given back. It returns what the connection is to be counted under: the cause
// of the close frame that was sent, if one was and was not left unanswered, else
// cause. A panic in Route.Close or Route.Gone is returned. The mover calls it
// once, and asks only for Noted afterwards: the connection's table may be gone.
func (c *Conn) Release(cause CloseError) (counted Cause, err error) {
	c.countEnd()
	counted = cause.Cause
	if c.st.phase >= phaseClosing && counted != CauseCloseTimeout {
		counted = Cause(c.st.control)
	}
	c.st.phase = phaseEnded
	err = errors.Join(c.over(cause), c.gone(counted))
	c.unnote()
	c.drop()
	c.retire()
	return counted, err
}

// over runs Route.Close unless it has run.
func (c *Conn) over(cause CloseError) (err error) {
	defer c.recovered(&err)
	c.closed(cause)
	return nil
}

// gone runs Route.Gone, also when Route.Close has panicked.
func (c *Conn) gone(counted Cause) (err error) {
	if c.st.flags&flagUpgraded == 0 || c.rt.Gone == nil {
		return nil
	}
	defer c.recovered(&err)
	c.rt.Gone(c, counted)
	return nil
}

// drop gives back all memory of the connection.
func (c *Conn) drop() {
	c.Sent()
	c.unfinished()
	if c.work != nil {
		*c.work = Work{Backlog: c.work.Backlog}
	}
	if c.st.side != 0 {
		c.sides[c.st.side] = side{}
		c.freeSide = append(c.freeSide, c.st.side)
		c.st.side = 0
	}
}

// unfinished gives back the memory of messages that will not be finished: one
// whose handler has panicked, one under assembly. A reply that lies in the first
// still has to leave.
func (c *Conn) unfinished() {
	if c.current != nil {
		if c.runEnd > 0 {
			c.out = c.spill()
		}
		c.loop.Free(c.current)
		c.current = nil
	}
	if d := &c.deflate; d.into != nil { // the decompressor has panicked
		c.loop.Free(d.into)
		d.into, d.reader = nil, nil
	}
	c.unassembled()
}

// unassembled gives back the memory of a message under assembly.
func (c *Conn) unassembled() {
	if c.work != nil {
		c.loop.Free(c.work.message)
		c.work.message = nil
	}
}
