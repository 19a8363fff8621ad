package poller

import (
	"cmp"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"echogate/poller/websocket"
)

// Connection describes one connection at one moment. Its times are multiples of
// the 10 ms of a tick.
type Connection struct {
	Handle   websocket.Handle // its FD and Gen together name it
	Loop     int
	Route    string // the pattern; empty before the upgrade
	Remote   netip.AddrPort
	State    State
	Age      time.Duration // since its upgrade; before it, of the request under way
	Idle     time.Duration // since the last byte came, or was taken
	Messages uint32        // received
	Backlog  int           // bytes of output that the socket has not taken
	Held     bool          // not read: a handler or its job has paused it
}

// State is the part of its life that a connection is in.
type State uint8

// The states, in the order of their counters.
const (
	StateHandshake State = iota // it has not upgraded
	StateOpen                   // frames
	StatePaused                 // open, but not read: its backlog is full
	StateClosing                // it waits for the peer's close frame, or FIN
	States                      // how many there are
)

// String returns the label used in counters.
func (s State) String() string {
	return [States]string{"handshake", "open", "paused", "closing"}[s]
}

// stateOf is the state of a connection of this loop.
func (l *loop) stateOf(s *slot) State {
	b := l.busyOf(s)
	switch {
	case s.ws.Closing() || s.ws.Ended() || b != nil && (b.fin != finNone || b.until != 0):
		return StateClosing
	case !s.ws.Upgraded():
		return StateHandshake
	case b != nil && b.full:
		return StatePaused
	}
	return StateOpen
}

const (
	// listedMost is how many connections are listed at most: 8 MB.
	listedMost = 1 << 16
	// listedAtOnce is how many of them a loop lists before it goes on with
	// events. Each may be a system call.
	listedAtOnce = 256
	// listTime is how long a list waits for the loops.
	listTime = time.Second
)

// Connections lists at most limit connections, and never more than 65,536, from
// all loops alike, each loop's in the order of descriptors. The loops gather them
// in slices, so that a million of them do not stop anything. It waits at most a
// second; missing are the loops that were not done by then: theirs are left out.
func (s *Server) Connections(limit int) (list []Connection, missing []int) {
	counts := make([]int, len(s.loops))
	for i, l := range s.loops {
		counts[i] = int(l.count.Load())
	}
	shares := share(counts, min(max(limit, 0), listedMost))
	var late atomic.Bool
	parts, how := ask(s, listTime, func(l *loop, reply func([]Connection)) {
		l.gather(&gathering{most: shares[l.tag-1], late: &late, reply: reply})
	})
	late.Store(true)
	for i, part := range parts {
		list = append(list, part...)
		if how[i] == silent {
			missing = append(missing, i)
		}
	}
	return list, missing
}

// share deals most out to loops that have so many connections each: in equal
// parts, and what one has no use for to the others.
func share(counts []int, most int) []int {
	shares, order := make([]int, len(counts)), make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(counts[a], counts[b]) })
	for done, i := range order {
		shares[i] = min(counts[i], most/(len(order)-done))
		most -= shares[i]
	}
	return shares
}

// gathering is a list under way on one loop.
type gathering struct {
	next  int // descriptor
	most  int
	list  []Connection
	late  *atomic.Bool // nobody waits for it any more
	reply func([]Connection)
}

// gather lists connections from descriptor g.next on, one slice at a time.
func (l *loop) gather(g *gathering) {
	top, most := l.table.top(), min(g.most, len(g.list)+listedAtOnce)
	for end := min(g.next+slice, top); g.next < end && len(g.list) < most; g.next++ {
		if s := l.table.at(g.next); s != nil && s.is(l) {
			g.list = append(g.list, l.describe(g.next, s))
		}
	}
	if g.next < top && len(g.list) < g.most && !g.late.Load() &&
		l.mail.post(l, letter{kind: letterTask, task: func() { l.gather(g) }}) == nil {
		return
	}
	g.reply(g.list)
}

// describe is a connection as it is listed.
func (l *loop) describe(fd int, s *slot) Connection {
	l.bind(fd, s)
	c := Connection{
		Handle: l.conn.Handle(), Loop: int(l.tag) - 1, Route: l.conn.Pattern(), Remote: l.conn.Remote(),
		State: l.stateOf(s), Age: since(s.opened, l.tick), Idle: since(s.heard, l.tick),
		Messages: s.ws.Messages, Held: s.ws.Held(),
	}
	if b := l.busyOf(s); b != nil {
		c.Backlog = b.work.Backlog
	}
	return c
}
