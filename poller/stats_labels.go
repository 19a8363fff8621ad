package poller

import "strconv"

// This file is the closed lists of labels that counters have.

// Refused is why a connection was refused or accepting failed.
type Refused uint8

// The reasons, in the order of their counters.
const (
	RefusedAccept         Refused = iota // accept(2) failed
	RefusedMaxConnections                // above the cap
	RefusedPerAddress                    // above the cap of its address
	RefusedHalfOpen                      // too many had not upgraded, and it was the oldest of them
	RefusedTLSBusy                       // too many handshakes of TLS wait for their turn
	Refusals                             // how many there are
)

// String returns the label used in counters.
func (r Refused) String() string {
	return [Refusals]string{"accept_error", "max_connections", "per_address", "half_open", "tls_busy"}[r]
}

// Timeout is a deadline that passed.
type Timeout uint8

// The deadlines, in the order of their counters.
const (
	TimeoutHandshake Timeout = iota // Config.HandshakeTimeout
	TimeoutHTTPIdle                 // Config.HTTPIdle
	TimeoutMessage                  // Limits.MessageTimeout
	TimeoutIdle                     // Limits.IdleTimeout
	TimeoutStall                    // Limits.StallTimeout
	TimeoutClose                    // Limits.CloseTimeout
	TimeoutLifetime                 // Limits.MaxLifetime
	TimeoutLinger                   // the peer did not end TCP after we had
	Timeouts                        // how many there are
)

// String returns the label used in counters.
func (t Timeout) String() string {
	return [Timeouts]string{"handshake", "http_idle", "message", "idle", "stall", "close", "lifetime", "linger"}[t]
}

// countTimeout counts a deadline that passed.
func (l *loop) countTimeout(s *slot, what deadline) {
	t := [...]Timeout{
		handshakeOver: TimeoutHandshake, messageOver: TimeoutMessage, idleOver: TimeoutIdle, stallDue: TimeoutStall,
		closeOver: TimeoutClose, lifetimeOver: TimeoutLifetime, pingDue: Timeouts, drainDue: Timeouts, memoryOver: Timeouts,
	}[what]
	switch {
	case t == Timeouts: // nobody is late
		return
	case what == handshakeOver && s.ws.Served():
		t = TimeoutHTTPIdle
	case what == closeOver && l.busyOf(s).linger > 0:
		t = TimeoutLinger
	}
	l.stats.Timeouts[t]++
}

// Status is an HTTP status with which requests are refused, as it is counted. The
// list is closed; a handler may refuse with others.
type Status uint8

// statuses are those that the server refuses with itself, and what handlers often
// take beside them.
var statuses = [...]int{400, 401, 403, 404, 405, 414, 426, 429, 431, 500, 503, 505}

// The counters of all other statuses.
const (
	Status2xx = Status(len(statuses) + iota)
	Status3xx
	Status4xx
	Status5xx
	Statuses // how many there are
)

// String returns the label used in counters.
func (s Status) String() string {
	if s >= Status2xx {
		return strconv.Itoa(int(s-Status2xx)+2) + "xx"
	}
	return strconv.Itoa(statuses[s])
}

// statusOf is where a status is counted.
func statusOf(code int) Status {
	for i, known := range statuses {
		if code == known {
			return Status(i)
		}
	}
	return Status2xx + Status(code/100-2)
}
