package poller

import (
	"sync"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// letter is something for a loop to do, from another goroutine.
type letter struct {
	kind    letterKind
	to      websocket.Handle // adopt: only its FD
	op      ws.OpCode
	payload []byte
	f       func(*websocket.Conn) error
	task    func()
	verdict admission // adopt
	from    *listener // adopt
	session *session  // stepped
}

// letterSize is at least what a letter takes beside its payload: a flood of empty
// messages has its bound, too.
const letterSize = 128

type letterKind uint8

const (
	letterAdopt   letterKind = iota // a new connection
	letterSend                      // Handle.Send
	letterDo                        // Handle.Do
	letterAnswer                    // the end of a job of Conn.Go
	letterTask                      // something for the loop itself
	letterStepped                   // a step of a handshake of TLS has ended
)

// mailbox is how other goroutines reach a loop. Its lock is held for an append
// and at most one write to the eventfd.
type mailbox struct {
	mu      sync.Mutex
	closed  bool
	letters []letter
}

// post leaves a letter. ErrGone: the loop has ended. Closing takes the same
// lock, so the eventfd cannot be somebody else's when it is written to.
func (m *mailbox) post(l *loop, x letter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return websocket.ErrGone
	}
	m.letters = append(m.letters, x)
	if len(m.letters) == 1 {
		l.ring()
	}
	return nil
}

// ring makes the eventfd readable: the loop comes to its mail after the events
// that wait.
func (l *loop) ring() {
	one := [8]byte{1}
	for {
		if _, err := unix.Write(l.wake, one[:]); err != unix.EINTR {
			return // EAGAIN: it is as full as can be, and readable
		}
	}
}

// woken takes the mail.
func (l *loop) woken() error {
	var count [8]byte
	_, _ = unix.Read(l.wake, count[:])
	return l.deliver()
}

func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.letters
	m.letters = nil
	return got
}

// end refuses letters from now on, unless there are any: then it reports false.
func (m *mailbox) end() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = len(m.letters) == 0
	return m.closed
}

// close refuses letters from now on, and returns those that nobody will read.
func (m *mailbox) close() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	got := m.letters
	m.letters = nil
	return got
}

// deliver reads the mail that is there. What it leads to waits for the next time.
func (l *loop) deliver() error {
	for _, x := range l.mail.take() {
		switch x.kind {
		case letterTask:
			x.task()
		case letterStepped:
			l.stepped(x.session, x.to)
		case letterAdopt:
			l.adopt(int(x.to.FD), x.verdict, x.from)
		default:
			l.deliverTo(x)
		}
	}
	return l.stopped()
}

// deliverTo is a letter to a connection, which may have ended.
func (l *loop) deliverTo(x letter) {
	fd := int(x.to.FD)
	s := l.table.at(fd)
	alive := s.is(l) && s.generation() == x.to.Gen && !s.ws.Ended()
	if x.kind == letterSend || x.kind == letterDo {
		l.srv.posted.Add(int64(-letterSize - len(x.payload)))
	}
	switch x.kind {
	case letterSend:
		if !alive {
			l.stats.SendsRefused++
			return
		}
		l.call(fd, s, func(c *websocket.Conn) error {
			if c.Send(x.op, x.payload) != nil {
				l.stats.SendsRefused++
			}
			return nil
		})
	case letterDo:
		if alive {
			l.call(fd, s, x.f)
		}
	case letterAnswer:
		if alive {
			l.bind(fd, s)
			l.conn.JobDone()
			l.Ready(l.conn)
			if x.f != nil {
				l.call(fd, s, func(c *websocket.Conn) error { return c.Answer(x.f) })
			}
			l.answered(fd, s)
		}
	}
}

// answered sends a connection away that the drain has waited for: before the
// next message of it is taken.
func (l *loop) answered(fd int, s *slot) {
	if l.draining != 0 && s.is(l) && s.ws.Open() && !before(l.tick, l.leaves(fd, s)) {
		l.drainOne(fd, s)
	}
}
