package websocket

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

// Flow is how much of one kind went one way.
type Flow struct {
	Frames uint64 // whole messages, or control frames
	Bytes  uint64 // of their payloads
}

// add counts one of n bytes.
func (f *Flow) add(n int) {
	f.Frames++
	f.Bytes += uint64(n)
}

// opcodes is how many there can be: an opcode has four bits (RFC 6455 §5.2).
const opcodes = 16

// Counts is what the connections of a loop have received and sent. It only grows.
// What a handler sends by SendRaw or PassRaw is its own, and not looked into.
type Counts struct {
	// In and Out are by opcode: messages handed to a handler under ws.OpText and
	// ws.OpBinary, what was given to Send under them and the control frames' own.
	// A message in many fragments is one, under its first frame's opcode.
	In, Out [opcodes]Flow

	// ClosesIn and ClosesOut are close frames by their code. A connection that
	// got its 101 and ends without one is an abnormal closure, 1006, in that
	// direction (RFC 6455 §7.1.5): each counts all connections that have ended.
	ClosesIn, ClosesOut [CloseCodes]uint64

	// Violations are connections that ended because the peer broke RFC 6455.
	Violations [Violations]uint64

	// RoundTrips are by how long a pong took that answers a ping of Conn.Ping:
	// see RoundTripBounds. RoundTripSum is the sum of them. A ping has the loop's
	// clock for its payload, and nothing is kept: a peer can make up what it likes
	// if it is not longer ago than roundTripMost.
	RoundTrips   [RoundTripBuckets]uint64
	RoundTripSum time.Duration
}

// RoundTripBuckets is how many counters Counts.RoundTrips has: one for each of
// RoundTripBounds, and one for what took longer than all of them.
const RoundTripBuckets = len(RoundTripBounds) + 1

// RoundTripBounds are the upper bounds of Counts.RoundTrips. The clock is the
// loop's tick of 10 ms.
var RoundTripBounds = [...]time.Duration{
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

// roundTripMost is the longest round trip that is believed.
const roundTripMost = 10 * time.Minute

// Counts are those of the loop.
func (c *Conn) Counts() *Counts { return &c.counts }

// Add adds the counts of another loop.
func (s *Counts) Add(o *Counts) {
	for i := range s.In {
		s.In[i].Frames += o.In[i].Frames
		s.In[i].Bytes += o.In[i].Bytes
		s.Out[i].Frames += o.Out[i].Frames
		s.Out[i].Bytes += o.Out[i].Bytes
	}
	for i := range s.ClosesIn {
		s.ClosesIn[i] += o.ClosesIn[i]
		s.ClosesOut[i] += o.ClosesOut[i]
	}
	for i, n := range o.Violations {
		s.Violations[i] += n
	}
	for i, n := range o.RoundTrips {
		s.RoundTrips[i] += n
	}
	s.RoundTripSum += o.RoundTripSum
}

// pong measures the round trip that a pong ends, if it seems to end one.
func (s *Counts) pong(p []byte, now time.Duration) {
	if len(p) != 8 {
		return
	}
	sent := time.Duration(binary.BigEndian.Uint64(p))
	took := now - sent
	if sent <= 0 || took < 0 || took > roundTripMost {
		return
	}
	i := 0
	for i < len(RoundTripBounds) && took > RoundTripBounds[i] {
		i++
	}
	s.RoundTrips[i]++
	s.RoundTripSum += took
}

// CloseCode is the code of a close frame, as it is counted. The list is closed.
type CloseCode uint8

// CloseAbnormal is 1006: there was no close frame. Every code from 1000 to 1014
// is counted by itself, in this order.
const CloseAbnormal CloseCode = 1006 - 1000

// What follows is counted together (RFC 6455 §7.4.2).
const (
	Close3xxx  = iota + CloseCode(1015-1000) // codes of libraries
	Close4xxx                                // of applications
	CloseNone                                // a close frame without a code
	CloseCodes                               // how many there are
)

// String returns the label used in counters.
func (c CloseCode) String() string {
	switch c {
	case Close3xxx:
		return "3xxx"
	case Close4xxx:
		return "4xxx"
	case CloseNone:
		return "none"
	}
	return strconv.Itoa(1000 + int(c))
}

// closeCodeOf is where a code that may travel is counted.
func closeCodeOf(code ws.StatusCode) CloseCode {
	switch {
	case code == 0:
		return CloseNone
	case code < 3000:
		return CloseCode(code - 1000)
	case code < 4000:
		return Close3xxx
	}
	return Close4xxx
}
