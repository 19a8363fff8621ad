package websocket

import (
	"cmp"
	"time"

	"github.com/gobwas/ws"
)

// A Route is what happens on one path: a struct of functions and limits, where
// nil or zero means the default. All functions run on the event loop of the
// connection, one at a time: they must not block (use Conn.Go for what does),
// and Conn, Request and payload are dead when they return. An error closes the
// connection: a CloseError with its code, any other with 1011.
type Route struct {
	// Upgrade decides on a request that is a good WebSocket handshake. It may
	// refuse (return Refuse), add headers, Attach a value or Use another Route.
	Upgrade func(c *Conn, r *Request) error
	// Open runs after the 101 was queued.
	Open func(c *Conn) error
	// Message gets every whole message: ws.OpText (checked UTF-8) or
	// ws.OpBinary. p may be sent back as it is, without a copy; it must not be
	// written to after that.
	Message func(c *Conn, op ws.OpCode, p []byte) error
	// Control sees ping, pong and close frames before they are answered. True
	// means handled: nothing is sent.
	Control func(c *Conn, op ws.OpCode, p []byte) (bool, error)
	// Close runs once for each connection that got its 101, when its frames
	// end. Nothing can be sent any more.
	Close func(c *Conn, cause CloseError)
	// Gone runs once for each connection that got its 101, after Close, when
	// its transport ends: with what the connection is counted under.
	Gone func(c *Conn, counted Cause)
	// HTTP answers a plain GET or HEAD request. nil: 426 on a path that has a
	// Message, Open or Head function.
	HTTP func(w *Response, r *Request) error
	// Head appends raw bytes that are sent instead of the 101.
	Head func(c *Conn, r *Request, out []byte) []byte

	// Wire sees the bytes behind the handshake as each read brought them, before
	// they are taken as frames, and says how many of them may be taken now: at
	// least 1. The others are given again once what was sent meanwhile has left.
	// b must not be changed or kept.
	Wire func(c *Conn, b []byte) (n int, err error)
	// Sending gets what Send would send, the answers to control frames and our
	// own pings included. Nothing is sent but what it sends, with Send while it
	// runs, or later with Pass and PassRaw.
	Sending func(c *Conn, op ws.OpCode, p []byte) error
	// Closing runs before a close frame of ours is sent, while Send still sends.
	// True puts off a close that a handler began (e.Cause is CauseHandler), which
	// Conn.Close may then begin again; no other can be.
	Closing func(c *Conn, e CloseError) (later bool)

	// Protocols are the subprotocols it speaks; the first of the client's that
	// is among them is chosen ("*": whatever comes first). Strict refuses an
	// offer without a match with 400; else none is chosen.
	Protocols []string
	Strict    bool
	// Origins are the values of the Origin header that are let in (scheme, host
	// and port, compared without case); empty: anyone.
	Origins []string
	// Compression is whether permessage-deflate (RFC 7692) is agreed on with
	// clients that offer it; zero: as the table says.
	Compression Compression
	Limits      Limits
}

// Limits bound one connection. Zero takes the default, negative switches the
// limit off.
type Limits struct {
	MaxMessage     int           // bytes of one message, all fragments together
	MaxFragments   int           // frames of one message
	MaxControlRate int           // control frames in 10 s, at most 65,535
	HighWater      int           // bytes of unsent output above which the connection is not read
	LowWater       int           // bytes of unsent output below which reading goes on
	MessageTimeout time.Duration // from a message's first frame to its last
	StallTimeout   time.Duration // without progress while output waits
	PingInterval   time.Duration // of silence before a ping, and between pings
	IdleTimeout    time.Duration // of silence before the connection is ended
	MaxLifetime    time.Duration // of the connection
	CloseTimeout   time.Duration // from our close frame to the peer's
}

// DefaultLimits are the limits in force where neither the route nor the server
// says otherwise.
func DefaultLimits() Limits {
	return Limits{
		MaxMessage:     1 << 20,
		MaxFragments:   1 << 16, // 4 MiB in 64-byte fragments, the most the Autobahn suite sends
		MaxControlRate: 2000,
		HighWater:      64 << 10,
		LowWater:       16 << 10,
		MessageTimeout: 60 * time.Second,
		StallTimeout:   30 * time.Second,
		PingInterval:   50 * time.Second, // below the 60 s at which common proxies cut
		IdleTimeout:    120 * time.Second,
		MaxLifetime:    -1,
		CloseTimeout:   5 * time.Second,
	}
}

// or fills what is zero in l from d.
func (l Limits) or(d Limits) Limits {
	return Limits{
		MaxMessage:     cmp.Or(l.MaxMessage, d.MaxMessage),
		MaxFragments:   cmp.Or(l.MaxFragments, d.MaxFragments),
		MaxControlRate: cmp.Or(l.MaxControlRate, d.MaxControlRate),
		HighWater:      cmp.Or(l.HighWater, d.HighWater),
		LowWater:       cmp.Or(l.LowWater, d.LowWater),
		MessageTimeout: cmp.Or(l.MessageTimeout, d.MessageTimeout),
		StallTimeout:   cmp.Or(l.StallTimeout, d.StallTimeout),
		PingInterval:   cmp.Or(l.PingInterval, d.PingInterval),
		IdleTimeout:    cmp.Or(l.IdleTimeout, d.IdleTimeout),
		MaxLifetime:    cmp.Or(l.MaxLifetime, d.MaxLifetime),
		CloseTimeout:   cmp.Or(l.CloseTimeout, d.CloseTimeout),
	}
}

// The bounds of a request's head (limits.md A2).
const (
	DefaultMaxHead = 8 << 10
	headCap        = tailMax // the most a mover keeps, when the limit is off
)
