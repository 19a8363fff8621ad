package poller

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"echogate/poller/websocket"
)

// watch warns of loops that are away for longer than Config.LoopWarn: a handler
// blocks. It looks from outside, for all loops, until they have ended.
func (s *Server) watch() {
	seen := make([]sight, len(s.loops))
	for {
		every := watchPause
		if warn := s.conf().LoopWarn; warn > 0 {
			every = max(warn/2, tickTime)
		}
		began := time.Now()
		timer := time.NewTimer(every)
		select {
		case <-s.ended:
			timer.Stop()
			return
		case <-timer.C:
		}
		if time.Since(began) > every+every/2 {
			continue // the machine was away itself, and the loops with it
		}
		for i, l := range s.loops {
			s.look(l, &seen[i])
		}
	}
}

// watchPause is the time between two looks at whether there is something to
// look for.
const watchPause = time.Second

// sight is what one look at a loop has shown.
type sight struct {
	beat   uint32
	fd     int
	warned bool // of this beat
}

// look warns if the loop is away: late, and busy with the same connection as at
// the last look. One that is late because much happens goes on to others.
func (s *Server) look(l *loop, last *sight) {
	now, warn := sight{beat: l.beat.Load(), fd: l.current()}, s.conf().LoopWarn
	same := now.beat == last.beat && now.fd == last.fd
	now.warned = now.beat == last.beat && last.warned
	*last = now
	if warn <= 0 || now.beat == 0 || now.warned || !same {
		return
	}
	away := time.Duration(s.now()-now.beat) * tickTime
	if away <= warn {
		return
	}
	last.warned = true
	s.away.Add(1)
	s.note(logLoop, slog.LevelWarn, "event loop is away: a handler blocks", "loop", l.tag-1, "for", away.String(),
		"route", s.routeOf(l), "stack", stackOf(*l.goroutine.Load()))
}

// routeOf is the pattern of the connection that the loop is busy with; empty
// before its request's path is known.
func (s *Server) routeOf(l *loop) string {
	slot := s.table.at(l.current())
	if slot == nil || !slot.is(l) {
		return ""
	}
	id := slot.name()
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 {
		return ""
	}
	return s.names[id-1]
}

// name gives each route of a table the number under which slots tell other
// goroutines of it; equal patterns of all tables have the same. Beyond what a
// slot can hold it is 0.
func (s *Server) name(r *websocket.Routes) []uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]uint16, len(s.names))
	for i, pattern := range s.names {
		known[pattern] = uint16(i + 1)
	}
	ids := make([]uint16, r.Len())
	for i := range ids {
		pattern := r.Pattern(i)
		if known[pattern] == 0 && len(s.names) < ownerNames {
			s.names = append(s.names, pattern)
			known[pattern] = uint16(len(s.names))
		}
		ids[i] = known[pattern]
	}
	return ids
}

// goroutine is the running goroutine's number, read off its stack.
func goroutine() string {
	var b [64]byte
	head := b[:runtime.Stack(b[:], false)]
	return string(bytes.Fields(head)[1])
}

// stackOf is the stack of the goroutine with that number.
func stackOf(id string) string {
	all := make([]byte, 256<<10)
	all = all[:runtime.Stack(all, true)]
	for stack := range strings.SplitSeq(string(all), "\n\n") {
		if strings.HasPrefix(stack, "goroutine "+id+" ") {
			return stack
		}
	}
	return ""
}
