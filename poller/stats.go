package poller

import (
	"time"

	"echogate/poller/websocket"
)

// Refused is why a connection was refused or accepting failed.
type Refused uint8

// The reasons, in the order of their counters.
const (
	RefusedAccept         Refused = iota // accept(2) failed
	RefusedMaxConnections                // above the cap
	RefusedPerAddress                    // above the cap of its address
	RefusedHalfOpen                      // too many had not upgraded, and it was the oldest of them
	Refusals                             // how many there are
)

// String returns the label used in counters.
func (r Refused) String() string {
	return [Refusals]string{"accept_error", "max_connections", "per_address", "half_open"}[r]
}

// Stats is a Server's counters, added up over its loops. The first group only
// grows, the second is as of now.
type Stats struct {
	Accepted         uint64                    // connections
	Upgrades         uint64                    // 101s
	Refused          [Refusals]uint64          // connections, by reason
	Rejected         [websocket.Rejects]uint64 // requests, by reason
	Closed           [websocket.Causes]uint64  // connections, by cause
	ForwardedIgnored uint64                    // requests of trusted proxies whose forwarding header could not be read
	SendsRefused     uint64                    // sends by Handle that came too late or found the backlog full
	Pauses           uint64                    // times that a backlog stopped reading
	LateTicks        uint64                    // ticks that came 100 ms late or more
	MaxLag           uint32                    // the latest tick so far, in ms
	Lag              [LagBuckets]uint64        // ticks, by how late they came: see LagBounds
	LagSum           uint64                    // how late all of them came together, in ms
	LoopsAway        uint64                    // times that a loop was away for longer than Config.LoopWarn
	LogSuppressed    uint64                    // log lines that were left out, being too many

	Connections int   // open
	HalfOpen    int   // those of them that have not upgraded
	PerLoop     []int // open, by loop
	Paused      int   // connections not read because of their backlog
	Busy        int   // connections with working state
	Timers      int   // functions of Conn.After that wait
	Entries     int   // in the timing wheels
	Buffered    int   // bytes of buffers in use
}

// LagBuckets is how many counters Stats.Lag has: one for each of LagBounds, and
// one for what came later than all of them.
const LagBuckets = len(LagBounds) + 1

// LagBounds are the upper bounds of Stats.Lag. Ticks come every 10 ms while there
// is something to wait for.
var LagBounds = [...]time.Duration{
	0, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
}

// lag counts a tick that came after so many of them.
func (s *Stats) lag(ticks uint32) {
	late := time.Duration(max(ticks, 1)-1) * tickTime
	i := 0
	for i < len(LagBounds) && late > LagBounds[i] {
		i++
	}
	s.Lag[i]++
	s.LagSum += uint64(late.Milliseconds())
	s.MaxLag = max(s.MaxLag, uint32(late.Milliseconds()))
	if ticks > ticksPerSecond/10 {
		s.LateTicks++
	}
}

// add adds the counters of one loop.
func (s *Stats) add(o *Stats) {
	s.Accepted += o.Accepted
	s.Upgrades += o.Upgrades
	for i, n := range o.Refused {
		s.Refused[i] += n
	}
	for i, n := range o.Rejected {
		s.Rejected[i] += n
	}
	for i, n := range o.Closed {
		s.Closed[i] += n
	}
	s.ForwardedIgnored += o.ForwardedIgnored
	s.SendsRefused += o.SendsRefused
	s.Pauses += o.Pauses
	s.LateTicks += o.LateTicks
	for i, n := range o.Lag {
		s.Lag[i] += n
	}
	s.LagSum += o.LagSum
	s.LoopsAway += o.LoopsAway
	s.LogSuppressed += o.LogSuppressed
	s.MaxLag = max(s.MaxLag, o.MaxLag)
	s.Connections += o.Connections
	s.HalfOpen += o.HalfOpen
	s.PerLoop = append(s.PerLoop, o.Connections)
	s.Paused += o.Paused
	s.Busy += o.Busy
	s.Timers += o.Timers
	s.Entries += o.Entries
	s.Buffered += o.Buffered
}

// snapshot is the loop's counters as of now.
func (l *loop) snapshot() Stats {
	s := l.stats
	s.Connections = int(l.count.Load())
	s.HalfOpen = int(l.halfOpen.Load())
	s.Busy = len(l.busys) - 1 - len(l.freeBusy)
	s.Timers = max(len(l.timers)-1, 0) - len(l.freeTimer)
	s.Entries = l.wheel.count
	s.Buffered = l.pool.out
	return s
}
