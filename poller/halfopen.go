package poller

import (
	"slices"

	"echogate/poller/websocket"
)

// leastHalfOpen is the default of Config.MaxHalfOpen where a quarter of the
// connections is less: a burst of honest clients is no attack.
const leastHalfOpen = 1000

// note names a connection that had not upgraded when the note was made.
type note struct {
	fd   int32
	gen  uint32
	tick uint32 // at which it came to the loop
}

// await notes a connection that has not upgraded. The lobby holds the notes in the
// order in which connections came. Those of connections that have upgraded or ended
// since are swept out when they are the majority, so that a note costs O(1) and the
// slot needs no link for it.
func (l *loop) await(fd int, s *slot) {
	if len(l.lobby) > 2*int(l.halfOpen.Load())+slackLobby {
		l.lobby = slices.Clone(slices.DeleteFunc(l.lobby, func(n note) bool { return !l.waits(n) }))
	}
	l.lobby = append(l.lobby, note{int32(fd), s.generation(), l.tick})
	l.toFront()
}

// slackLobby is how many stale notes are never worth a sweep.
const slackLobby = 64

// waits reports whether the connection is still there and has not upgraded.
func (l *loop) waits(n note) bool {
	s := l.table.at(int(n.fd))
	return s.is(l) && s.generation() == n.gen && !s.ws.Upgraded()
}

// toFront drops stale notes until the first is that of the oldest that waits,
// and tells the other loops its tick. It reports whether there were any.
func (l *loop) toFront() (stale bool) {
	for len(l.lobby) > 0 && !l.waits(l.lobby[0]) {
		l.lobby, stale = l.lobby[1:], true
	}
	tick := uint32(0)
	if len(l.lobby) > 0 {
		tick = max(l.lobby[0].tick, 1)
	}
	l.oldest.Store(tick)
	return stale
}

// makeRoom cuts the oldest half-open connections while the server has too many:
// who comes anew is served, who holds a place in silence is not. One of another
// loop is that loop's to cut.
func (l *loop) makeRoom() {
	for l.srv.crowded() {
		first := l.srv.longestWaiting()
		if first == nil {
			return // they are all on their way to a loop
		}
		if first != l {
			_ = first.mail.post(first, letter{kind: letterTask, task: first.makeRoom})
			return
		}
		if l.toFront() {
			continue // it did not wait for as long as it seemed
		}
		fd := int(l.lobby[0].fd)
		l.stats.Refused[RefusedHalfOpen]++
		l.cut(fd, l.table.at(fd), websocket.ErrHTTPDone)
	}
}

// crowded reports whether there are more half-open connections than may be.
func (s *Server) crowded() bool {
	total := 0
	for _, l := range s.loops {
		total += int(l.halfOpen.Load())
	}
	return total > s.conf().MaxHalfOpen
}

// longestWaiting is the loop of the oldest half-open connection, nil when there
// is none.
func (s *Server) longestWaiting() (first *loop) {
	least := uint32(0)
	for _, l := range s.loops {
		if t := l.oldest.Load(); t != 0 && (first == nil || before(t, least)) {
			first, least = l, t
		}
	}
	return first
}
