package poller

import (
	"slices"
	"time"

	"echogate/poller/websocket"
)

// Stats is a Server's counters, added up over its loops. The first group only
// grows, the second is as of now.
type Stats struct {
	Accepted         uint64                    // connections
	Upgrades         uint64                    // 101s
	Refused          [Refusals]uint64          // connections, by reason
	Rejected         [websocket.Rejects]uint64 // requests, by reason
	Statuses         [Statuses]uint64          // the same requests, by the status of the answer
	Closed           [websocket.Causes]uint64  // connections, by cause
	Timeouts         [Timeouts]uint64          // deadlines that passed
	Wire             websocket.Counts          // messages, control frames, close codes, violations, round trips
	ForwardedIgnored uint64                    // requests of trusted proxies whose forwarding header could not be read
	SendsRefused     uint64                    // sends by Handle that came too late or found the backlog full
	Pauses           uint64                    // times that a backlog stopped reading
	LateTicks        uint64                    // ticks that came 100 ms late or more
	MaxLag           uint32                    // the latest tick so far, in ms
	Lag              [LagBuckets]uint64        // ticks, by how late they came: see LagBounds
	LagSum           uint64                    // how late all of them came together, in ms
	LoopsAway        uint64                    // times that a loop was away for longer than Config.LoopWarn
	LogSuppressed    uint64                    // log lines that were left out, being too many

	Connections int          // open, those on their way to a loop included
	HalfOpen    int          // those of them that have not upgraded
	PerLoop     []int        // open, by loop
	Utilization []float64    // by loop: how much of the last seconds it did not wait, from 0 to 1
	Routes      []RouteStats // connections by route and state; the first is before the upgrade
	Paused      int          // connections not read because of their backlog
	Busy        int          // connections with working state
	Timers      int          // functions of Conn.After that wait
	Entries     int          // in the timing wheels
	Buffered    int          // bytes of buffers in use
	Backlog     int          // bytes of output that sockets have not taken
	Silent      []int        // loops that did not answer: their part is what they told last
}

// counters are a loop's own: of Stats, what is counted where it happens.
type counters struct {
	Stats
	census census
	use    utilization
}

// Stats adds up the counters of all loops. It asks each loop and waits at most 100
// ms; of a loop that does not answer it takes what that told last, so that counters
// which only grow never go back.
func (s *Server) Stats() Stats {
	parts, how := ask(s, answerTime, func(l *loop, reply func(*counters)) { reply(l.tell()) })
	sum := Stats{LogSuppressed: s.suppressed(), LoopsAway: s.away.Load(), Routes: s.routeStats()}
	for i, l := range s.loops {
		part := parts[i]
		switch how[i] {
		case gone:
			last := l.snapshot()
			part = &last
		case silent:
			sum.Silent = append(sum.Silent, i)
			part = l.lastTold()
		}
		sum.add(&part.Stats)
		sum.addCensus(part.census)
		sum.Utilization = append(sum.Utilization, part.use.ratio)
	}
	return sum
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
	for i, n := range o.Statuses {
		s.Statuses[i] += n
	}
	for i, n := range o.Timeouts {
		s.Timeouts[i] += n
	}
	s.Wire.Add(&o.Wire)
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
	s.Backlog += o.Backlog
}

// tell is the loop's counters as of now. While it does not answer Stats knows it
// by them.
func (l *loop) tell() *counters {
	c := l.snapshot()
	l.inquiry.known.Store(&c)
	return &c
}

// lastTold is what the loop counted when it last told, for one that does not
// answer: which has not waited since.
func (l *loop) lastTold() *counters {
	var c counters
	if known := l.inquiry.known.Load(); known != nil {
		c = *known
	}
	c.use.ratio = 1
	return &c
}

// snapshot is the loop's counters as of now.
func (l *loop) snapshot() counters {
	s := l.stats
	s.census, s.Wire = slices.Clone(s.census), *l.conn.Counts()
	s.Connections = int(l.count.Load())
	s.HalfOpen = int(l.halfOpen.Load())
	s.Busy = len(l.busys) - 1 - len(l.freeBusy)
	s.Timers = max(len(l.timers)-1, 0) - len(l.freeTimer)
	s.Entries = l.wheel.count
	s.Buffered = l.pool.out
	return s
}
