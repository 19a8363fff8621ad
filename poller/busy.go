package poller

import "echogate/poller/websocket"

// busy is the working state of a connection: it exists while something is
// unfinished, and is reused for the next.
type busy struct {
	fd   int // whose it is
	work websocket.Work
	in   []byte // input to be given again in front of what is read next
	out  []byte // the backlog is out[off:]
	off  int
	fin  fin // what to do once the backlog is sent

	queued   bool   // it stands in the loop's queue
	pending  bool   // an edge may have passed: read until EAGAIN or EOF
	whole    bool   // in holds whole frames: it is given again before anything is read
	tiny     bool   // its frames are short: a full read of them would be a long turn
	full     bool   // above the high-water mark: not read until below the low one
	preface  bool   // its PROXY protocol header has not ended
	linger   int    // bytes of input still to be discarded
	unacked  int    // bytes the peer's kernel had not acknowledged at the last look
	progress uint32 // tick of the last progress of the backlog; 0: there was none
	until    uint32 // tick at which closing or lingering ends, 0: not closing
	cause    websocket.CloseError
	timers   uint32   // the first of its timers; 0: none
	counted  State    // the state that it is counted in; StateHandshake: what the slot tells
	tls      *session // of a connection of TLS; nil: of a plain one
}

// fin is how a connection ends once its backlog is sent.
type fin uint8

const (
	finNone   fin = iota
	finClose      // close(2): both close frames are exchanged, or the stream has ended
	finLinger     // shutdown, discard until the peer's FIN or a bound, close
	finReset      // RST
	finHalf       // shutdown, discard until the peer's FIN, for longer
)

// idle reports whether nothing is unfinished: a session of TLS never is.
func (b *busy) idle() bool { return b.tls == nil && b.rests() }

// rests is idle but for the session.
func (b *busy) rests() bool {
	return !b.queued && !b.pending && !b.preface && b.in == nil && b.out == nil && b.fin == finNone && b.until == 0 && b.timers == 0 && b.work.Empty()
}

// busyOf returns the connection's working state, nil when it has none.
func (l *loop) busyOf(s *slot) *busy {
	if s.busy == 0 {
		return nil
	}
	return l.busys[s.busy]
}

// work returns the connection's working state, taking one when it has none.
func (l *loop) work(fd int, s *slot) *busy {
	if s.busy == 0 {
		if n := len(l.freeBusy); n > 0 {
			s.busy, l.freeBusy = l.freeBusy[n-1], l.freeBusy[:n-1]
			l.spare = min(l.spare, n-1)
		} else {
			s.busy = uint32(len(l.busys))
			l.busys = append(l.busys, nil)
		}
		if l.busys[s.busy] == nil {
			l.busys[s.busy] = new(busy)
		}
		l.busys[s.busy].fd = fd
	}
	return l.busys[s.busy]
}

// rest ends a turn: working state with nothing in it goes back, and deadlines
// that are nearer than what is filed are filed.
func (l *loop) rest(fd int, s *slot) {
	if b := l.busyOf(s); b != nil && b.idle() && (b.progress == 0 || before(b.progress+backlogMemory, l.tick)) {
		l.giveBack(s, b)
	}
	l.schedule(fd, s)
	l.bound()
}

func (l *loop) giveBack(s *slot, b *busy) {
	*b = busy{}
	l.freeBusy = append(l.freeBusy, s.busy)
	s.busy = 0
}

// trim gives what nobody needed since the last trim to the collector: a burst
// leaves nothing behind.
func (l *loop) trim() {
	l.pool.regions.trim()
	for _, i := range l.freeBusy[:l.spare] {
		l.busys[i] = nil
	}
	l.spare = len(l.freeBusy)
}
