package websocket

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/gobwas/ws"
)

// State is what is left of a connection while it is idle: a small value without
// pointers, kept by the mover in the connection's slot. The zero State is a
// connection that has sent nothing yet.
type State struct {
	side     uint32 // index into the loop's side entries; 0: none
	Messages uint32 // data messages received; stops at the top
	place           // of the route
	control  uint16 // control frames in the current window; once closing: the Cause
	phase    phase
	flags    flags
}

type phase uint8

const (
	phaseHTTP    phase = iota // waiting for a request
	phaseOpen                 // frames
	phaseClosing              // our close frame is sent, the peer's is awaited
	phaseEnded                // nothing is read or sent any more
)

type flags uint8

const (
	flagUpgraded flags = 1 << iota // it got its 101
	flagClosed                     // Route.Close has run
	flagPaused                     // by Pause
	flagJob                        // by Go
	flagServed                     // it waits between two plain requests
	flagRefuse                     // it is above the cap: its request is refused
)

// Upgraded reports whether the connection got its 101.
func (s *State) Upgraded() bool { return s.flags&flagUpgraded != 0 }

// Open reports whether data may be sent.
func (s *State) Open() bool { return s.phase == phaseOpen }

// Closing reports whether our close frame waits for the peer's.
func (s *State) Closing() bool { return s.phase == phaseClosing }

// Ended reports whether nothing is read or sent any more.
func (s *State) Ended() bool { return s.phase == phaseEnded }

// Held reports whether a handler or its job has paused reading.
func (s *State) Held() bool { return s.flags&(flagPaused|flagJob) != 0 }

// Begin ends Served: the first byte of the next request has come.
func (s *State) Begin() { s.flags &^= flagServed }

// Refuse has the connection's request refused with 503, whatever it is.
func (s *State) Refuse() { s.flags |= flagRefuse }

// Refused reports whether Refuse was called.
func (s *State) Refused() bool { return s.flags&flagRefuse != 0 }

// Served reports whether the connection waits between two plain requests.
func (s *State) Served() bool { return s.flags&flagServed != 0 }

// A Work is the working state of one connection: what is unfinished. It exists
// only while something is.
type Work struct {
	Backlog int // bytes of output that the socket has not taken; kept by the mover

	scanned int // bytes of a request's head that hold no blank line
	done    int // payload bytes of the kept frame that are unmasked already

	message   []byte        // headroom and payload of a message in memory of its own; nil before its first byte
	began     time.Duration // when the message began
	op        ws.OpCode     // of the message
	inMessage bool          // its last frame has not come
	fragments int           // frames of it so far
	checked   int           // payload bytes known to be whole UTF-8 runes
	frame     ws.Header     // of the large frame under way
	left      int           // bytes of that frame still to come
}

// Empty reports whether nothing is unfinished.
func (w *Work) Empty() bool {
	return w.Backlog == 0 && w.scanned == 0 && w.done == 0 && w.message == nil && !w.inMessage && w.left == 0
}

// Holds reports whether a message is under assembly in memory of its own.
func (w *Work) Holds() bool { return w.message != nil }

// Began is when the message under way began; false when none is.
func (w *Work) Began() (time.Duration, bool) { return w.began, w.inMessage || w.left > 0 || w.done > 0 }

// Restart begins the time of the message under way anew at now: reading was
// paused, which does not count.
func (w *Work) Restart(now time.Duration) { w.began = now }

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
	inEvent   bool      // Receive or Filled runs: a reply is never refused
	stopped   bool      // Receive left whole frames untaken
	last      place     // of the Route that lastRoute is
	lastRoute *Route
	id        uint64 // the mover's name for the connection
	lent      []byte // what the Loop lent for out, which may have outgrown it
	current   []byte // memory of the message that is being delivered

	// Of the loop.
	loop     Loop
	routes   *Routes
	older    map[uint16]*Routes // versions before routes that have connections
	sides    []side
	freeSide []uint32
	up       upgrader
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
	return c.older[st.version]
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
// sent in Message or Control.
func (c *Conn) Send(op ws.OpCode, p []byte) error {
	if c.st.phase != phaseOpen {
		return ErrGone
	}
	if !c.inEvent && c.full() {
		return ErrBacklog
	}
	if !c.inPlace(op, p) {
		c.out = AppendFrame(c.spill(), op, p)
	}
	return nil
}

// SendRaw sends bytes as they are: frames that the handler made itself.
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
		n += c.work.Backlog
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
	if code != 0 && !validCode(code) {
		return fmt.Errorf("websocket: close code %d must not be sent", code)
	}
	return c.Shut(CloseError{Code: code, Reason: reason})
}

// Shut is Close for e; the connection is counted under its Cause.
func (c *Conn) Shut(e CloseError) error {
	if c.st.phase != phaseOpen {
		return ErrGone
	}
	c.out = appendClose(c.spill(), e.Code, e.Reason)
	c.st.phase, c.st.control = phaseClosing, uint16(e.Cause)
	c.closed(e)
	return nil
}

// closed runs Route.Close, once.
func (c *Conn) closed(e CloseError) {
	if c.st.flags&(flagUpgraded|flagClosed) != flagUpgraded {
		return
	}
	c.st.flags |= flagClosed
	if c.rt.Close != nil {
		c.rt.Close(c, e)
	}
}

// End ends the connection without a close frame.
func (c *Conn) End(how End) {
	if c.st.phase != phaseClosing {
		c.st.control = uint16(CauseHandler)
	}
	c.st.phase = phaseEnded
	c.closed(CloseError{Code: ws.StatusAbnormalClosure, Cause: CauseHandler})
	c.loop.End(c, how)
}

// Ping sends a ping whose payload is the loop's clock in nanoseconds, so that
// the answer tells the round trip without anything kept.
func (c *Conn) Ping() error {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], uint64(c.loop.Now()))
	return c.Send(ws.OpPing, p[:])
}

// Pause stops reading until Resume: TCP pushes back to the peer. Frames that
// were read already are kept.
func (c *Conn) Pause() { c.st.flags |= flagPaused }

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

// Use makes r the connection's Route from now on, with the limits of the one it
// replaces where r has none. r must not change afterwards.
func (c *Conn) Use(r *Route) {
	own := *r
	own.Limits = r.Limits.or(c.rt.Limits)
	c.aside().route = &own
	c.rt = &own
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

// Release ends the protocol's part of a connection whose transport has ended,
// or is about to: Route.Close runs if it has not, memory is given back. It
// returns what the connection is to be counted under: the cause of the close
// frame that was sent, if one was and was not left unanswered, else cause. A
// panic in Route.Close is returned. The mover calls it once.
func (c *Conn) Release(cause CloseError) (counted Cause, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
		c.drop()
	}()
	counted = cause.Cause
	if c.st.phase >= phaseClosing && counted != CauseCloseTimeout {
		counted = Cause(c.st.control)
	}
	c.st.phase = phaseEnded
	c.closed(cause)
	return counted, nil
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
// whose handler has panicked, one under assembly.
func (c *Conn) unfinished() {
	c.loop.Free(c.current)
	c.current = nil
	if c.work != nil {
		c.loop.Free(c.work.message)
		c.work.message = nil
	}
}
