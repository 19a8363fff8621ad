package websocket

import (
	"net/netip"
	"time"

	"github.com/gobwas/ws"
)

// Loop is what a Conn asks of whoever moves its bytes: the event loop of
// package poller, or a fake with a hand-set clock in tests. All of it is
// called on the loop's own goroutine, except PostSend and PostDo.
type Loop interface {
	// Now is a monotonic clock counted from a fixed point. It may lag behind
	// by the loop's tick, and never goes back.
	Now() time.Duration
	// Alloc returns an empty buffer with room for at least n bytes, Free takes
	// one back. Large ones are not kept.
	Alloc(n int) []byte
	Free(b []byte)
	// Found tells which route a request is for, by its index among the patterns,
	// before any of the route's functions runs.
	Found(c *Conn, route int)
	// Work gives the connection its working state, which lasts until the event
	// in which it is Empty.
	Work(c *Conn) *Work
	// Flush sends what the Conn has to send now.
	Flush(c *Conn) error
	// Ready makes the loop go on with a connection after Resume.
	Ready(c *Conn)
	// After arranges that f is run by Call after d; it dies with the
	// connection. StopTimer reports whether the timer was still to run.
	After(c *Conn, d time.Duration, f func(*Conn) error) Timer
	StopTimer(t Timer) bool
	// Go runs job on a bounded pool and its answer on the loop, by Call.
	Go(c *Conn, job func() func(*Conn) error) error
	// End ends the transport once what waits has been sent (Reset: at once).
	End(c *Conn, how End)
	// Remote is the peer's address; zero when the kernel no longer knows it.
	Remote(c *Conn) netip.AddrPort
	// TLS is what the connection's encryption was negotiated to be; false: it
	// has none.
	TLS(c *Conn) (TLS, bool)
	// Local is the address that the peer connected to.
	Local(c *Conn) netip.AddrPort
	// Handle names the connection to other goroutines.
	Handle(c *Conn) Handle

	// PostSend and PostDo serve a Handle, from any goroutine. PostSend has
	// copied p when it returns.
	PostSend(h Handle, op ws.OpCode, p []byte) error
	PostDo(h Handle, f func(*Conn) error) error
}

// End is a way to end a connection without a close frame.
type End uint8

const (
	FIN       End = iota // TCP's orderly end, after what waits has been sent
	Reset                // at once, with a TCP RST
	HalfClose            // as FIN, but the peer may go on sending: it is read, and dropped, for a minute
)

// A Timer is a function that waits to run on its connection. The zero Timer
// has run already.
type Timer struct {
	loop Loop
	ID   uint32 // the Loop's own
	Gen  uint32
}

// NewTimer is for a Loop's After.
func NewTimer(l Loop, id, gen uint32) Timer { return Timer{l, id, gen} }

// Stop reports whether it kept the function from running. It must be called on
// the connection's loop.
func (t Timer) Stop() bool { return t.loop != nil && t.loop.StopTimer(t) }

// A Handle names a connection for as long as anybody likes to keep it, from any
// goroutine. It never dangles: what is sent through the Handle of an ended
// connection goes nowhere. Handles can be compared and be keys of a map.
type Handle struct {
	loop Loop
	FD   int32  // the descriptor: the connection's place in its table
	Gen  uint32 // which of the connections that had this descriptor
}

// NewHandle is for a Loop's Handle.
func NewHandle(l Loop, fd int32, gen uint32) Handle { return Handle{l, fd, gen} }

// Send copies p and has it sent as one message. It does not wait: ErrGone when
// the connection has ended, ErrBacklog when its peer reads too slowly or the
// process holds too much already. nil means queued, not arrived.
func (h Handle) Send(op ws.OpCode, p []byte) error {
	if h.loop == nil {
		return ErrGone
	}
	return h.loop.PostSend(h, op, p)
}

// Do has f run on the connection's loop, unless it ends before. ErrGone: it has.
// ErrBacklog: the process holds too much already.
func (h Handle) Do(f func(*Conn) error) error {
	if h.loop == nil {
		return ErrGone
	}
	return h.loop.PostDo(h, f)
}
