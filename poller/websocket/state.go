package websocket

import (
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
	control  uint16 // control frames in the current window; once closing: the Cause and marks
	phase    phase
	flags    flags
}

type phase uint8

const (
	phaseHTTP    phase = iota // waiting for a request
	phaseOpen                 // frames
	phaseHooked               // frames, compressed or of a Route with Wire, Sending or Closing
	phaseClosing              // our close frame is sent, the peer's is awaited
	phaseEnded                // nothing is read or sent any more
)

type flags uint8

const (
	flagUpgraded flags = 1 << iota // it got its 101
	flagClosed                     // Route.Close has run
	flagPaused                     // by Pause
	flagJob                        // by Go
	flagLong                       // its last frame was too long for one read
	flagServed                     // it waits between two plain requests
	flagRefuse                     // it is above the cap: its request is refused
	flagCrowd                      // its address has too many: its request is refused
)

// The last three are a request's. Once upgraded, their bits are a number: how
// many bits above windowLeast-1 the window has that permessage-deflate keeps to
// when it sends; 0 when it was not negotiated.
const (
	windowFlags = flagServed | flagRefuse | flagCrowd
	windowShift = 5
	windowLeast = 9
)

// setWindow notes what permessage-deflate was negotiated to; 0: it was not.
func (s *State) setWindow(bits int) {
	s.flags &^= windowFlags
	if bits > 0 {
		s.flags |= flags(bits-windowLeast+1) << windowShift
	}
}

// window is the base-2 logarithm of the window to keep to, 0 when
// permessage-deflate was not negotiated.
func (s *State) window() int {
	if !s.Compressed() {
		return 0
	}
	return int(s.flags>>windowShift) + windowLeast - 1
}

// Compressed reports whether permessage-deflate was negotiated.
func (s *State) Compressed() bool {
	return s.flags&flagUpgraded != 0 && s.flags&windowFlags != 0
}

// The marks beside the Cause of a connection that closes or has ended.
const (
	closeSent     = 1 << 8 // our close frame was
	closeReceived = 1 << 9 // the peer's was
)

// closes notes why the connection closes, or ends, before its phase says so.
func (s *State) closes(why Cause) {
	marks := uint16(0)
	if s.phase >= phaseClosing {
		marks = s.control & (closeSent | closeReceived)
	}
	s.control = marks | uint16(why)
}

// Upgraded reports whether the connection got its 101.
func (s *State) Upgraded() bool { return s.flags&flagUpgraded != 0 }

// Route is the index of the connection's route among its table's patterns.
func (s *State) Route() int { return int(s.route) }

// Open reports whether data may be sent. It is one comparison: a phase below
// phaseOpen wraps round.
func (s *State) Open() bool { return s.phase-phaseOpen <= phaseHooked-phaseOpen }

// Closing reports whether our close frame waits for the peer's.
func (s *State) Closing() bool { return s.phase == phaseClosing }

// Ended reports whether nothing is read or sent any more.
func (s *State) Ended() bool { return s.phase == phaseEnded }

// Held reports whether a handler or its job has paused reading.
func (s *State) Held() bool { return s.flags&(flagPaused|flagJob) != 0 }

// Long reports whether the connection's last frame was longer than a read is
// worth: the next one probably is, too. All but its first 64 KiB can then be read
// to where it stays (Room) if the first read takes no more than that.
func (s *State) Long() bool { return s.flags&flagLong != 0 }

// Working reports whether a job of Go is under way.
func (s *State) Working() bool { return s.flags&flagJob != 0 }

// Begin ends Served: the first byte of the next request has come.
func (s *State) Begin() { s.flags &^= flagServed }

// Refuse has the connection's request refused with 503, whatever it is.
func (s *State) Refuse() { s.flags |= flagRefuse }

// RefuseAddress has the connection's request refused with 429: there are too
// many from its address.
func (s *State) RefuseAddress() { s.flags |= flagCrowd }

// Refused reports whether Refuse was called.
func (s *State) Refused() bool { return s.flags&(flagRefuse|flagUpgraded) == flagRefuse }

// Served reports whether the connection waits between two plain requests.
func (s *State) Served() bool { return s.flags&(flagServed|flagUpgraded) == flagServed }

// A Work is the working state of one connection: what is unfinished. It exists
// only while something is.
type Work struct {
	Backlog int // bytes of output that the socket has not taken; kept by the mover

	scanned int  // bytes of a request's head that hold no blank line
	done    int  // payload bytes of the kept frame that are unmasked already
	seen    int  // bytes of the kept input that Route.Wire has been shown
	held    int  // bytes that Conn.Hold has copied and Conn.Free has not taken back
	waited  bool // Conn.Wait has put the handshake off

	message   []byte        // headroom and payload of a message in memory of its own; nil before its first byte
	began     time.Duration // when the message began
	op        ws.OpCode     // of the message, with opDeflated if it is compressed
	inMessage bool          // its last frame has not come
	fragments int           // frames of it so far
	checked   int           // payload bytes known to be whole UTF-8 runes
	frame     ws.Header     // of the large frame under way
	left      int           // bytes of that frame still to come
}

// Empty reports whether nothing is unfinished.
func (w *Work) Empty() bool {
	return w.Backlog == 0 && w.scanned == 0 && w.done == 0 && w.message == nil && !w.inMessage && w.left == 0 &&
		w.seen == 0 && w.held == 0 && !w.waited
}

// Holds reports whether a message is under assembly in memory of its own, or
// output is kept back.
func (w *Work) Holds() bool { return w.message != nil || w.held > 0 }

// Began is when the message under way began; false when none is.
func (w *Work) Began() (time.Duration, bool) { return w.began, w.inMessage || w.left > 0 || w.done > 0 }

// Stride is how long the last frame of the connection that had memory of its own
// was on the wire, if that was from 64 to 256 KiB; else 0.
func (w *Work) Stride() int {
	if n := w.frame.Length; n >= tailMax && n <= longFrame {
		return headerMost + int(n)
	}
	return 0
}

// Restart begins the time of the message under way anew at now: reading was
// paused, which does not count.
func (w *Work) Restart(now time.Duration) { w.began = now }
