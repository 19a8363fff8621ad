package websocket

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/gobwas/ws"
)

// A Conn is one connection, as its handlers see it: a view made for the event,
// dead when the handler returns. Handle is what may be kept. There is one Conn
// for each loop; its mover binds it to the connection of the event.
type Conn struct {
	// Of the event. What every message needs comes first: a cache line that is
	// not touched is time not spent.
	st        *State
	rt        *Route
	work      *Work
	buf       []byte // where the replies in place lie: the bytes read, or a message's own memory
	runAt     int    // buf[runAt:runEnd] is the run: what is sent from where it lies
	runEnd    int
	curAt     int       // buf[curAt:curEnd] is the payload that may be sent in place
	curEnd    int       // < 0: none
	out       []byte    // the side buffer: what is sent otherwise
	header    ws.Header // of the frame under way
	spent     []byte    // memory of a message, to be given back when it has been sent
	parted    bool      // what Filled returned lies in spent
	inEvent   bool      // Receive, Filled or Answer runs: a reply is never refused
	stopped   bool      // Receive left whole frames untaken
	last      place     // of the Route that lastRoute is
	lastRoute *Route
	id        uint64 // the mover's name for the connection
	lent      []byte // what the Loop lent for out, which may have outgrown it
	current   []byte // memory of the message that is being delivered
	unhooked  bool   // a hook of the Route runs: none runs for what it does
	inflated  int    // bytes that the messages of this Receive came to that were compressed

	// Of the loop.
	loop     Loop
	routes   *Routes
	watch    func(*Conn, CloseError) // of the mover; nil: none
	inspect  func(*Conn, *Request)   // of the mover; nil: none
	users    int                     // connections that upgraded with routes
	older    map[uint16]*edition     // versions before routes that have connections
	sides    []side
	freeSide []uint32
	counts   Counts
	notes    map[uint64][][2]string // by id, of the few that have some
	noted    [][2]string            // of the connection that was released last
	up       upgrader
	deflate  deflate
}

// place is where a Route stands: in which version of the table, and where.
type place struct{ version, route uint16 }

// side is what few connections have: a handler's value, a Route of their own.
type side struct {
	value any
	route *Route
}

// NewConn makes the Conn of a loop that serves routes.
func NewConn(l Loop, routes *Routes) *Conn {
	c := &Conn{loop: l, routes: routes, sides: make([]side, 1), curEnd: -1}
	c.up.init()
	return c
}

// Bind makes c the view of one connection: id is the mover's own name for it,
// st its State, w its Work or nil.
func (c *Conn) Bind(id uint64, st *State, w *Work) {
	c.id, c.st, c.work = id, st, w
	switch {
	case st.flags&flagUpgraded == 0:
		c.rt = nil
	case st.place == c.last && st.side == 0 && c.lastRoute != nil:
		c.rt = c.lastRoute
	default:
		c.rt = c.routeOf(st)
		if st.side == 0 {
			c.last, c.lastRoute = st.place, c.rt
		}
	}
}

// Watch has f called when the frames of any connection end, just before
// Route.Close. The mover calls it before its first Bind.
func (c *Conn) Watch(f func(*Conn, CloseError)) { c.watch = f }

// Inspect has f called with every request whose head is good, before it is
// answered. The mover calls it before its first Bind.
func (c *Conn) Inspect(f func(*Conn, *Request)) { c.inspect = f }

// ID is the mover's name for the connection, given to Bind.
func (c *Conn) ID() uint64 { return c.id }

// State is the connection's State.
func (c *Conn) State() *State { return c.st }

// routeOf finds the Route of a connection that got its 101.
func (c *Conn) routeOf(st *State) *Route {
	if st.side != 0 {
		if r := c.sides[st.side].route; r != nil {
			return r
		}
	}
	return &c.tableOf(st).list[st.route].route
}

// tableOf is the version of the routing table that a connection was upgraded
// with.
func (c *Conn) tableOf(st *State) *Routes {
	if c.routes.version == st.version {
		return c.routes
	}
	return c.older[st.version].routes
}

// Pattern is the route's key in the table, empty before the upgrade.
func (c *Conn) Pattern() string {
	if c.st.flags&flagUpgraded == 0 {
		return ""
	}
	return c.tableOf(c.st).list[c.st.route].pattern
}

// working returns the connection's Work, taking one when it has none.
func (c *Conn) working() *Work {
	if c.work == nil {
		c.work = c.loop.Work(c)
	}
	return c.work
}

// LimitsOf are the limits of a connection: those of its route, the server's
// before the upgrade. They must not be changed.
func (c *Conn) LimitsOf(st *State) *Limits {
	if st.flags&flagUpgraded == 0 {
		return &c.routes.limits
	}
	return &c.routeOf(st).Limits
}

// Send has p sent as one message (ws.OpText, ws.OpBinary) or control frame.
// Given the very payload that the handler was handed, it sends it from where it
// lies: no copy. Otherwise p is copied. ErrGone once the connection is closing;
// ErrBacklog, and nothing taken, above the high-water mark: never for what is
// sent in Message or Control, or by the answer of a job.
func (c *Conn) Send(op ws.OpCode, p []byte) error {
	if c.st.phase != phaseOpen {
		return c.divert(op, p)
	}
	if !c.inEvent && c.full() {
		return ErrBacklog
	}
	c.counts.Out[op%opcodes].add(len(p))
	if !c.inPlace(op, p) {
		c.out = AppendFrame(c.spill(), op, p)
	}
	return nil
}

// SendRaw sends b as it is: frames that the handler has made itself. Route.Sending
// does not see it. The errors are those of Send.
func (c *Conn) SendRaw(b []byte) error {
	if c.st.phase == phaseEnded {
		return ErrGone
	}
	if !c.inEvent && c.full() {
		return ErrBacklog
	}
	c.out = append(c.spill(), b...)
	return nil
}

// full reports whether the unsent output is above the high-water mark already.
// One message more than the mark may thus be held, never two.
func (c *Conn) full() bool {
	n := len(c.out)
	if c.work != nil {
		n += c.work.Backlog + c.work.held
	}
	high := c.LimitsOf(c.st).HighWater
	return high > 0 && n > high
}

// inPlace writes the header in front of p where p lies, if p is the payload
// that the handler was handed and nothing else was sent since the run began.
func (c *Conn) inPlace(op ws.OpCode, p []byte) bool {
	at, end := c.curAt, c.curEnd
	if end-at != len(p) || len(c.out) > 0 {
		return false
	}
	if len(p) > 0 && &p[0] != &c.buf[at] {
		return false
	}
	at -= headerLen(len(p))
	putHeader(c.buf[at:], op, len(p))
	if c.runEnd == 0 {
		c.runAt = at
	}
	c.runEnd = end
	c.curEnd = -1
	return true
}

// spill ends the run: it, and what follows, goes into the side buffer.
func (c *Conn) spill() []byte {
	run := c.buf[c.runAt:c.runEnd]
	if c.out == nil {
		c.lent = c.loop.Alloc(len(run) + 512)
		c.out = c.lent
	}
	if len(run) > 0 {
		c.out = append(c.out, run...)
		c.runAt, c.runEnd = 0, 0
	}
	return c.out
}

// Flush sends what there is now; what follows is a write of its own.
func (c *Conn) Flush() error { return c.loop.Flush(c) }

// Close sends a close frame; what the peer sends until it answers is dropped.
// Code 0 sends one without a body. It does nothing on a connection that is
// closing already, and fails for a code that must not travel (RFC 6455 §7.4).
func (c *Conn) Close(code ws.StatusCode, reason string) error {
	return c.Shut(CloseError{Code: code, Reason: reason})
}

// Shut is Close for e; the connection is counted under its Cause.
func (c *Conn) Shut(e CloseError) error {
	if e.Code != 0 && !ValidCode(e.Code) {
		return fmt.Errorf("websocket: close code %d must not be sent", e.Code)
	}
	if !c.st.Open() {
		return ErrGone
	}
	if later := c.parting(e); later && e.Cause == CauseHandler || !c.st.Open() {
		return nil
	}
	c.putClose(e)
	c.closing(e.Cause)
	c.st.control |= closeSent
	c.closed(e)
	return nil
}

// closing begins the wait for the peer's end of the close handshake. A message
// under assembly will not be delivered: its memory goes back at once.
func (c *Conn) closing(why Cause) {
	c.st.closes(why)
	c.st.phase = phaseClosing
	c.unassembled()
	c.Resume() // or the peer's close frame would not be read
}

// closed runs Route.Close, once.
func (c *Conn) closed(e CloseError) {
	if c.st.flags&(flagUpgraded|flagClosed) != flagUpgraded {
		return
	}
	c.st.flags |= flagClosed
	if c.watch != nil {
		c.watch(c, e)
	}
	if c.rt.Close != nil {
		c.rt.Close(c, e)
	}
}

// End ends the connection without a close frame.
func (c *Conn) End(how End) {
	if c.st.phase != phaseClosing {
		c.st.closes(CauseHandler)
	}
	c.st.phase = phaseEnded
	c.closed(CloseError{Code: ws.StatusAbnormalClosure, Cause: CauseHandler})
	c.loop.End(c, how)
}

// Ping sends a ping whose payload is the loop's clock in nanoseconds, so that the
// pong tells the round-trip time and nothing has to be kept for it.
func (c *Conn) Ping() error {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], uint64(c.loop.Now()))
	return c.Send(ws.OpPing, p[:])
}

// Pause stops reading until Resume: TCP pushes back to the peer. Frames that
// were read already are kept. A connection that closes is read again.
func (c *Conn) Pause() {
	if c.st.phase < phaseClosing {
		c.st.flags |= flagPaused
	}
}

// Resume goes on reading.
func (c *Conn) Resume() {
	if c.st.flags&flagPaused != 0 {
		c.st.flags &^= flagPaused
		c.loop.Ready(c)
	}
}

// After runs f on the connection after d, on its loop; it dies with the
// connection. It costs an entry in the loop's wheel: no goroutine, no timer.
func (c *Conn) After(d time.Duration, f func(*Conn) error) Timer { return c.loop.After(c, d, f) }

// Go runs job on a bounded pool of goroutines and what it returns on the loop.
// The connection is not read meanwhile, so order and back pressure are kept;
// one job at a time. The job must not touch c.
func (c *Conn) Go(job func() func(*Conn) error) error {
	if c.st.flags&flagJob != 0 {
		return ErrBacklog
	}
	if err := c.loop.Go(c, job); err != nil {
		return err
	}
	c.st.flags |= flagJob
	return nil
}

// JobDone is the mover's: the job of Go has ended, reading may go on.
func (c *Conn) JobDone() { c.st.flags &^= flagJob }

// Answer is the mover's: in a Call it runs f, which the job of Go has returned.
// What f sends is the reply to a message that was taken, so it is not refused with
// ErrBacklog.
func (c *Conn) Answer(f func(*Conn) error) error {
	c.inEvent = true
	defer func() { c.inEvent = false }()
	return f(c)
}

// Use makes r the connection's Route from now on. Limits that r leaves zero, and
// in Upgrade its Compression, are those of the Route that it replaces. r must not
// change afterwards.
func (c *Conn) Use(r *Route) {
	own := *r
	own.Limits = r.Limits.or(c.rt.Limits)
	own.Compression = cmp.Or(r.Compression, c.rt.Compression)
	c.aside().route = &own
	c.rt = &own
	if c.st.Open() {
		c.opens()
	}
}

// Attach keeps v for the connection's life; Value returns it, nil when nothing
// was attached.
func (c *Conn) Attach(v any) { c.aside().value = v }

// Value returns what Attach was given.
func (c *Conn) Value() any { return c.sides[c.st.side].value }

// aside returns the connection's side entry, making one when it has none.
func (c *Conn) aside() *side {
	if c.st.side == 0 {
		if n := len(c.freeSide); n > 0 {
			c.st.side, c.freeSide = c.freeSide[n-1], c.freeSide[:n-1]
		} else {
			c.st.side = uint32(len(c.sides))
			c.sides = append(c.sides, side{})
		}
	}
	return &c.sides[c.st.side]
}

// Remote is the peer's address. It is asked of the kernel: zero once the peer
// has reset the connection.
func (c *Conn) Remote() netip.AddrPort { return c.loop.Remote(c) }

// Handle names the connection for other goroutines and for later.
func (c *Conn) Handle() Handle { return c.loop.Handle(c) }
