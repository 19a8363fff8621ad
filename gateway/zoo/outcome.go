package zoo

import (
	"fmt"
	"sync/atomic"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// An Outcome is what a client did at last. The list is closed: it is the label of
// a counter.
type Outcome uint8

// The outcomes, in the order of their counters.
const (
	undecided   Outcome = iota
	Failed              // it ended TCP without a close frame
	WentOn              // it answered the ping behind the wrong thing
	Waited              // it did nothing until it was cut
	HungUp              // it did nothing before the animal ended TCP, as that one does
	Broke               // it broke the protocol itself, as by a close code that must not travel
	Interrupted         // the gateway had to end the visit: it stops, or has no memory
	ClosedNone          // it sent a close frame without a code
	Closed1000          // it sent a close frame with that code
	Closed1001
	Closed1002
	Closed1003
	Closed1007
	Closed1008
	Closed1009
	Closed1010
	Closed1011
	ClosedOther
	outcomes // how many there are
)

var outcomeLabels = [outcomes]string{
	"", "failed", "went_on", "waited", "hung_up", "broke", "interrupted",
	"closed_none", "closed_1000", "closed_1001", "closed_1002", "closed_1003", "closed_1007",
	"closed_1008", "closed_1009", "closed_1010", "closed_1011", "closed_other",
}

// String returns the label used in counters and logs.
func (o Outcome) String() string { return outcomeLabels[o] }

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, label := range outcomeLabels {
		if i > 0 && label == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("zoo: no outcome %q", text)
}

// closedWith is the outcome of a client that sent a close frame with that code; 0:
// with none.
func closedWith(code ws.StatusCode) Outcome {
	if code == 0 {
		return ClosedNone
	}
	label := fmt.Sprintf("closed_%d", code)
	for o := Closed1000; o < ClosedOther; o++ {
		if o.String() == label {
			return o
		}
	}
	return ClosedOther
}

// endedBy is the outcome of a client that did nothing before its connection ended
// so.
func endedBy(cause websocket.Cause) Outcome {
	switch cause {
	case websocket.CauseEOF, websocket.CauseReset:
		return Failed
	case websocket.CauseProtocol, websocket.CauseUTF8, websocket.CauseTooBig, websocket.CauseFragments, websocket.CauseControlFlood:
		return Broke
	case websocket.CauseHandler:
		return HungUp
	case websocket.CauseGoingAway, websocket.CauseMemory, websocket.CauseHandlerError, websocket.CausePanic:
		return Interrupted
	}
	return Waited // for its lifetime, or without taking what was sent
}

// visits counts how visits ended, by the animal's place. It belongs to the
// process, as counters do: a reload of the routes goes on counting.
var visits = make([][outcomes]atomic.Uint64, len(animals))

// Each calls f with every counter that is not zero, in a fixed order. It may be
// called by any goroutine.
func Each(f func(animal, outcome string, n uint64)) {
	for i := range visits {
		for o := range outcomes {
			if n := visits[i][o].Load(); n > 0 {
				f(animals[i].Name, o.String(), n)
			}
		}
	}
}
