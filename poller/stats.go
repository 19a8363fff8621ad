package poller

import "echogate/poller/websocket"

// Refused is why a connection was refused or accepting failed.
type Refused uint8

// The reasons, in the order of their counters.
const (
	RefusedAccept         Refused = iota // accept(2) failed
	RefusedMaxConnections                // above the cap
	Refusals                             // how many there are
)

// String returns the label used in counters.
func (r Refused) String() string { return [Refusals]string{"accept_error", "max_connections"}[r] }

// Stats is a Server's counters, added up over its loops. The first group only
// grows, the second is as of now.
type Stats struct {
	Accepted     uint64                    // connections
	Upgrades     uint64                    // 101s
	Refused      [Refusals]uint64          // connections, by reason
	Rejected     [websocket.Rejects]uint64 // requests, by reason
	Closed       [websocket.Causes]uint64  // connections, by cause
	SendsRefused uint64                    // sends by Handle that came too late or found the backlog full
	Pauses       uint64                    // times that a backlog stopped reading
	LateTicks    uint64                    // ticks that came 100 ms late or more
	MaxLag       uint32                    // the latest tick so far, in ms

	Connections int   // open
	PerLoop     []int // open, by loop
	Paused      int   // connections not read because of their backlog
	Busy        int   // connections with working state
	Timers      int   // functions of Conn.After that wait
	Entries     int   // in the timing wheels
	Buffered    int   // bytes of buffers in use
}

func (s *Stats) lag(ticks uint32) {
	if ticks < 2 {
		return
	}
	s.MaxLag = max(s.MaxLag, (ticks-1)*uint32(tickTime.Milliseconds()))
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
	s.SendsRefused += o.SendsRefused
	s.Pauses += o.Pauses
	s.LateTicks += o.LateTicks
	s.MaxLag = max(s.MaxLag, o.MaxLag)
	s.Connections += o.Connections
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
	s.Busy = len(l.busys) - 1 - len(l.freeBusy)
	s.Timers = max(len(l.timers)-1, 0) - len(l.freeTimer)
	s.Entries = l.wheel.count
	s.Buffered = l.pool.out
	return s
}

// limiter lets 10 log lines a second through and counts the rest.
type limiter struct {
	second uint32
	lines  int
	Lost   uint64
}

func (m *limiter) allow(tick uint32) bool {
	if second := tick / ticksPerSecond; second != m.second {
		m.second, m.lines = second, 0
	}
	if m.lines == 10 {
		m.Lost++
		return false
	}
	m.lines++
	return true
}
