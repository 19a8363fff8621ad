package websocket

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// next takes the frame, or the part of one, at in[at:]. It returns how many
// bytes it took; 0: more must arrive first, or it must wait.
func (c *Conn) next(in []byte, at int) (n int, err error) {
	w := c.work
	if w != nil && w.left > 0 {
		return c.more(w, in[at:])
	}
	h, fragmented := &c.header, w != nil && w.inMessage
	n, err = parseHeader(in[at:], h, serverState(fragmented))
	if n == 0 || err != nil {
		return 0, err
	}
	if h.OpCode.IsControl() {
		return c.control(in, at, n)
	}
	if c.st.phase == phaseClosing {
		c.skip(h)
		return n, nil
	}
	if h.Fin && !fragmented {
		return c.single(in, at, n)
	}
	return n, c.fragment(h)
}

// short takes a message of one short frame that is whole, at in[at:]. It does
// what next would, in one step, because small messages cost what this costs. 0:
// it is another case.
func (c *Conn) short(in []byte, at int) (n int, err error) {
	b := in[at:]
	if c.work != nil || c.st.phase != phaseOpen || len(b) < 6 || b[0] != wholeText && b[0] != wholeBinary {
		return 0, nil
	}
	first, size := b[0], int(b[1])-0x80 // negative: not masked
	// As unsigned numbers a limit that is off, −1, is above all sizes.
	if n = 6 + size; size < 0 || size > 125 || n > len(b) || uint(size) > uint(c.rt.Limits.MaxMessage) {
		return 0, nil
	}
	to := at + 6
	if c.runEnd > 0 && len(c.out) == 0 {
		to = c.runEnd + 2
	}
	p := in[to : to+size : to+size] // may lie over the header
	seen := shift(p, b[6:n], binary.LittleEndian.Uint32(b[2:]))
	if seen&topBits != 0 && first == wholeText && !utf8.Valid(p) {
		return 0, ErrInvalidUTF8
	}
	c.curAt, c.curEnd = to, to+size
	return n, c.deliver(ws.OpCode(first&0x0f), p)
}

// The first bytes of a message in one frame.
const (
	wholeText   = 0x80 | byte(ws.OpText)
	wholeBinary = 0x80 | byte(ws.OpBinary)
)

// single takes a message of one frame, at in[at:], with a header of n bytes. In
// the usual case it is whole: unmasked where it lies, or moved by the few bytes
// that join it to the run.
func (c *Conn) single(in []byte, at, n int) (int, error) {
	h, size := &c.header, int(c.header.Length)
	if max := c.rt.Limits.MaxMessage; max >= 0 && h.Length > int64(max) || h.Length > math.MaxInt32 {
		return 0, ErrMessageTooBig
	}
	if len(in)-at-n < size {
		if n+size > tailMax {
			return n, c.fragment(h)
		}
		return 0, c.keep(in[at:], n)
	}
	p, plain := c.unmask(in, at, n)
	if h.OpCode == ws.OpText && plain < size && !utf8.Valid(p[plain:]) {
		return 0, ErrInvalidUTF8
	}
	return n + size, c.deliver(h.OpCode, p)
}

// keep unmasks and checks what has arrived of a frame that the mover keeps.
func (c *Conn) keep(b []byte, n int) error {
	h, w, p := &c.header, c.working(), b[n:]
	if w.done == 0 {
		w.began, w.checked = c.loop.Now(), 0 // which a message before it in this read has left
	}
	cipher(p[w.done:], p[w.done:], h.Mask, w.done)
	w.done = len(p)
	if h.OpCode != ws.OpText || h.Rsv != 0 { // what is compressed is no text yet
		return nil
	}
	return w.check(p, false)
}

// check validates the text p as far as it has come: the first w.checked bytes
// are known to be good. It fails as soon as the text cannot become UTF-8
// (RFC 6455 §8.1), whatever may follow.
func (w *Work) check(p []byte, final bool) error {
	p = p[w.checked:]
	tail := 0
	if !final {
		tail = openRune(p)
	}
	if !utf8.Valid(p[:len(p)-tail]) {
		return ErrInvalidUTF8
	}
	w.checked += len(p) - tail
	return nil
}

// openRune is the length of the incomplete but so far valid rune at the end of
// p: 0 to 3 bytes.
func openRune(p []byte) int {
	for n := 1; n <= 3 && n <= len(p); n++ {
		if b := p[len(p)-n:]; utf8.RuneStart(b[0]) {
			if utf8.FullRune(b) {
				return 0
			}
			return n
		}
	}
	return 0
}

// deliver hands a whole message to the handler.
func (c *Conn) deliver(op ws.OpCode, p []byte) error {
	if c.st.Messages < math.MaxUint32 {
		c.st.Messages++
	}
	c.counts.In[op%opcodes].add(len(p))
	var err error
	if c.rt.Message != nil {
		err = c.rt.Message(c, op, p)
	}
	if raceEnabled && c.curEnd >= 0 {
		poison(p) // dead on return; what was sent in place is overwritten by Sent
	}
	c.curEnd = -1
	if err != nil {
		return c.handled(err)
	}
	return nil
}

// longFrame is the length above which a frame sets State.Long.
const longFrame = 256 << 10

// fragment begins a frame that goes into memory of the message: one of several
// fragments, or one that is too long to be kept as it came. Nothing is reserved
// by what the header declares.
func (c *Conn) fragment(h *ws.Header) error {
	w := c.working()
	if !w.inMessage {
		w.began, w.op, w.fragments, w.checked = c.loop.Now(), h.OpCode|ws.OpCode(h.Rsv<<4), 0, 0
	}
	w.fragments++
	l := &c.rt.Limits
	if l.MaxFragments > 0 && w.fragments > l.MaxFragments {
		return ErrFragments
	}
	// Compared without adding, so that the sum cannot overflow.
	if h.Length > int64(c.longest(w.op)-len(w.payload())) {
		return ErrMessageTooBig
	}
	w.inMessage = true
	w.frame, w.left = *h, int(h.Length)
	c.st.flags &^= flagLong
	if w.left > longFrame {
		c.st.flags |= flagLong
	}
	if w.left == 0 {
		return c.arrived(w, nil)
	}
	return nil
}

// more takes what b has of the frame under way.
func (c *Conn) more(w *Work, b []byte) (n int, err error) {
	n = min(len(b), w.left)
	if c.st.phase == phaseClosing { // a data frame around our close frame
		w.left -= n
		return n, nil
	}
	at := len(w.message)
	if n == w.left && w.frame.Fin && at+n > tailMax && (len(c.output()) > 0 || c.spent != nil) {
		c.stopped = true // the reply would have to be copied behind what waits
		return 0, nil
	}
	if cap(w.message)-at < n {
		c.grow(w, n)
	}
	w.message = w.message[:len(w.message)+n] // grow may have put the headroom there
	return n, c.arrived(w, b[:n])
}

// longest is how much a message may have on the wire.
func (c *Conn) longest(op ws.OpCode) int {
	max := c.rt.Limits.MaxMessage
	switch {
	case max < 0:
		return math.MaxInt32
	case op&opDeflated != 0:
		max += deflateOverhead(max)
	}
	return min(max, math.MaxInt32)
}

// payload is what the message's memory holds of its payload.
func (w *Work) payload() []byte {
	if w.message == nil {
		return nil
	}
	return w.message[headroom:len(w.message):len(w.message)]
}

// grow makes room for at least n more bytes of the frame under way: all that
// the frame needs, but at most 16 times what has arrived, so that memory costs
// the peer bytes.
func (c *Conn) grow(w *Work, n int) {
	old := w.message
	if old == nil {
		old = make([]byte, headroom)
	}
	have := len(old)
	need := min(have+w.left, 16*(have+n))
	// Fragments add up: doubling keeps the copying linear.
	if double := 2 * cap(w.message); need < double {
		need = min(double, headroom+c.longest(w.op))
	}
	if w.op&opDeflated != 0 {
		need += len(blockEnds)
	}
	m := append(c.loop.Alloc(max(need, have+n)), old...)
	c.loop.Free(w.message)
	w.message = m
}

// arrived takes p, part of the frame under way, to the end of the message's memory,
// which has its length already; p may lie there. When that ends the message it is
// delivered.
func (c *Conn) arrived(w *Work, p []byte) error {
	whole := w.payload()
	for at := len(whole) - len(p); ; {
		n := min(len(p), chunk)
		cipher(whole[at:at+n], p[:n], w.frame.Mask, int(w.frame.Length)-w.left)
		p = p[n:]
		at += n
		w.left -= n
		last := w.left == 0 && w.frame.Fin
		if w.op == ws.OpText {
			if err := w.check(whole[:at], last); err != nil {
				return err
			}
		}
		switch {
		case last:
			return c.assembled(w)
		case at == len(whole):
			return nil
		}
	}
}

// assembled delivers the message in memory of its own. If nothing waits to be
// sent it may be sent back from there, and then goes alone: Receive stops.
func (c *Conn) assembled(w *Work) error {
	m, p, in := w.message, w.payload(), c.buf
	w.message, w.inMessage = nil, false
	c.curEnd, c.current = -1, m
	if w.op&opDeflated != 0 {
		return c.expand(w.op&^opDeflated, p, m)
	}
	alone := m != nil && c.spent == nil && len(c.output()) == 0
	if alone {
		c.buf, c.curAt, c.curEnd = m, headroom, len(m)
	}
	err := c.deliver(w.op, p)
	c.current = nil
	if alone && c.runEnd > 0 {
		c.spent, c.stopped = m, true
		return err
	}
	c.buf = in
	c.loop.Free(m)
	return err
}

// skip drops a data frame that came after our close frame (RFC 6455 §5.5.1);
// whether it began or ended a message is still kept, to check the next one.
func (c *Conn) skip(h *ws.Header) {
	w := c.working()
	w.inMessage, w.done = !h.Fin, 0
	w.left = int(min(h.Length, math.MaxInt32)) // the close timeout ends it long before
}

// control takes a control frame whole (RFC 6455 §5.5): at most 125 bytes.
func (c *Conn) control(in []byte, at, n int) (int, error) {
	op, size := c.header.OpCode, int(c.header.Length)
	if len(in)-at-n < size {
		return 0, nil
	}
	if c.flooded() {
		return 0, ErrControlFlood
	}
	p, _ := c.unmask(in, at, n)
	c.counts.In[op].add(size)
	if op == ws.OpClose {
		return n + size, c.closeFrame(p)
	}
	err := c.pingPong(op, p)
	c.curEnd = -1
	return n + size, err
}

// flooded counts a control frame against the budget of its window.
func (c *Conn) flooded() bool {
	if !c.st.Open() {
		return false // control holds the cause; the close timeout is the bound
	}
	max := c.rt.Limits.MaxControlRate
	if c.st.control == math.MaxUint16 { // the counter is full: a limit above it is as good as this
		return max > 0
	}
	c.st.control++
	return max > 0 && int(c.st.control) > max
}

// Window begins a new window of the control-frame budget, 10 s long by the
// mover's clock.
func (s *State) Window() {
	if s.Open() {
		s.control = 0
	}
}

// pingPong answers a ping with its payload (RFC 6455 §5.5.3) and is content
// with any pong.
func (c *Conn) pingPong(op ws.OpCode, p []byte) error {
	if !c.st.Open() {
		return nil
	}
	if op == ws.OpPong {
		c.counts.pong(p, c.loop.Now())
	}
	if c.rt.Control != nil {
		if done, err := c.rt.Control(c, op, p); done || err != nil {
			return c.handled(err)
		}
	}
	if op == ws.OpPing && c.st.Open() {
		return c.Send(ws.OpPong, p)
	}
	return nil
}
