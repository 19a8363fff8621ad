package websocket

import "github.com/gobwas/ws"

// This file is the close handshake (RFC 6455 §7.1), from both sides, and its
// counters.

// closeFrame takes the peer's close frame: it answers with the same code and
// reason, or it was the answer to ours. Both ways the handshake is complete.
func (c *Conn) closeFrame(p []byte) error {
	e, err := parseClose(p)
	if err != nil {
		return err
	}
	if c.st.phase == phaseClosing {
		c.received(e)
		return e
	}
	if c.rt.Control != nil {
		done, err := c.rt.Control(c, ws.OpClose, p)
		if err != nil {
			return err
		}
		if done { // not answered: the peer, or the close timeout, ends it
			c.closing(CausePeer)
			c.received(e)
			c.closed(e)
			return nil
		}
	}
	c.answerClose(e, p)
	c.received(e)
	return e
}

// answerClose sends the peer's close frame back, unless a handler has sent one.
func (c *Conn) answerClose(e CloseError, p []byte) {
	if !c.st.Open() {
		return
	}
	before := c.counts.Out[ws.OpClose].Frames
	_ = c.Send(ws.OpClose, p)
	if c.st.Open() {
		c.st.closes(CausePeer)
		c.st.phase = phaseClosing
	}
	if c.counts.Out[ws.OpClose].Frames > before { // Route.Sending may have kept it
		c.counts.ClosesOut[closeCodeOf(e.Code)]++
		c.st.control |= closeSent
	}
}

// received counts the peer's close frame: its first, which a handler may have
// taken without an answer.
func (c *Conn) received(e CloseError) {
	if c.st.control&closeReceived == 0 {
		c.st.control |= closeReceived
		c.counts.ClosesIn[closeCodeOf(e.Code)]++
	}
}

// putClose gives a close frame of ours to be sent.
func (c *Conn) putClose(e CloseError) {
	at := len(c.spill())
	c.out = appendClose(c.out, e.Code, e.Reason)
	c.counts.Out[ws.OpClose].add(len(c.out) - at - headerLen(0))
	c.counts.ClosesOut[closeCodeOf(e.Code)]++
}

// countEnd counts the directions in which a connection ends without a close
// frame (RFC 6455 §7.1.5).
func (c *Conn) countEnd() {
	if c.st.flags&flagUpgraded == 0 {
		return
	}
	marks := uint16(0)
	if c.st.phase >= phaseClosing {
		marks = c.st.control
	}
	if marks&closeReceived == 0 {
		c.counts.ClosesIn[CloseAbnormal]++
	}
	if marks&closeSent == 0 {
		c.counts.ClosesOut[CloseAbnormal]++
	}
}
