package websockettest

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file is the mover: what package poller does with sockets.

// loop is the Server as package websocket sees it, so that a Server's own
// methods are the test's.
type loop struct{ *Server }

var _ websocket.Loop = loop{}

// Alloc implements websocket.Loop.
func (l loop) Alloc(n int) []byte {
	l.buffers++
	return make([]byte, 0, n)
}

// Free implements websocket.Loop.
func (l loop) Free(b []byte) {
	if b != nil {
		l.buffers--
	}
}

// Found implements websocket.Loop: nobody watches.
func (l loop) Found(*websocket.Conn, int) {}

func (l loop) client(c *websocket.Conn) *Client { return l.clients[c.ID()] }

// Work implements websocket.Loop.
func (l loop) Work(c *websocket.Conn) *websocket.Work { return l.client(c).working() }

func (c *Client) working() *websocket.Work {
	if c.work == nil {
		c.work = new(websocket.Work)
	}
	return c.work
}

// Flush implements websocket.Loop.
func (l loop) Flush(c *websocket.Conn) error {
	l.transmit(l.client(c), l.head)
	l.transmit(l.client(c), c.Output())
	l.head = nil
	c.Sent()
	return nil
}

// Ready implements websocket.Loop. The connection goes on when the event is
// over.
func (l loop) Ready(c *websocket.Conn) { _ = l.post(l.Handle(c), false, nil) }

// After implements websocket.Loop.
func (l loop) After(c *websocket.Conn, d time.Duration, f func(*websocket.Conn) error) websocket.Timer {
	l.timerID++
	l.timers = append(l.timers, timer{l.timerID, l.now + d, l.client(c), f})
	return websocket.NewTimer(l, l.timerID, 0)
}

// StopTimer implements websocket.Loop.
func (l loop) StopTimer(t websocket.Timer) bool {
	i := slices.IndexFunc(l.timers, func(w timer) bool { return w.id == t.ID })
	if i < 0 {
		return false
	}
	l.timers = slices.Delete(l.timers, i, i+1)
	return true
}

// Go implements websocket.Loop.
func (l loop) Go(c *websocket.Conn, run func() func(*websocket.Conn) error) error {
	l.jobs = append(l.jobs, job{l.client(c), run})
	return nil
}

// End implements websocket.Loop: the end comes when the event is over.
func (l loop) End(c *websocket.Conn, _ websocket.End) { l.client(c).fin = true }

// Remote implements websocket.Loop.
func (l loop) Remote(*websocket.Conn) netip.AddrPort { return l.Server.Remote }

// TLS implements websocket.Loop.
func (l loop) TLS(*websocket.Conn) (websocket.TLS, bool) {
	return l.Server.TLS, l.Server.TLS != websocket.TLS{}
}

// Local implements websocket.Loop.
func (l loop) Local(*websocket.Conn) netip.AddrPort { return l.Server.Local }

// Handle implements websocket.Loop.
func (l loop) Handle(c *websocket.Conn) websocket.Handle {
	return websocket.NewHandle(l, int32(c.ID()), 0)
}

// PostSend implements websocket.Loop, for any goroutine.
func (l loop) PostSend(h websocket.Handle, op ws.OpCode, p []byte) error {
	p = slices.Clone(p)
	return l.post(h, true, func(c *websocket.Conn) error {
		_ = c.Send(op, p) // too late: the sender was told that it is queued, not more
		return nil
	})
}

// PostDo implements websocket.Loop, for any goroutine.
func (l loop) PostDo(h websocket.Handle, f func(*websocket.Conn) error) error {
	return l.post(h, false, f)
}

// post leaves a letter; one that brings output only where there is room for it.
func (s *Server) post(h websocket.Handle, output bool, f func(*websocket.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[h.FD]
	switch {
	case c.over:
		return websocket.ErrGone
	case output && c.full:
		return websocket.ErrBacklog
	}
	s.mail = append(s.mail, letter{c, f})
	return nil
}

// settle does what waits: what Handles have posted, and connections that go on
// after Resume.
func (s *Server) settle() {
	for {
		s.mu.Lock()
		mail := s.mail
		s.mail = nil
		s.mu.Unlock()
		if len(mail) == 0 {
			return
		}
		for _, l := range mail {
			if l.f != nil {
				s.call(l.to, l.f)
			}
			s.read(l.to)
		}
	}
}

func (s *Server) bind(c *Client) { s.conn.Bind(c.id, &c.state, c.work) }

// call runs f on a connection outside a read.
func (s *Server) call(c *Client, f func(*websocket.Conn) error) {
	if c.over {
		return
	}
	s.bind(c)
	out, err := s.conn.Call(f)
	s.transmit(c, out)
	s.rest(c, err)
}

// read gives a connection its input, until it needs more of it or may not be
// read. Large frames go through Room first.
func (s *Server) read(c *Client) {
	for more := true; more && len(c.kept) > 0 && !c.over && !c.full && !c.state.Held(); {
		s.bind(c)
		err := s.fill(c)
		var (
			n   int
			out = s.conn.Output()
		)
		if err == nil {
			n, out, err = s.conn.Receive(c.kept)
		}
		s.transmit(c, s.head)
		s.transmit(c, out)
		s.head, c.kept, more = nil, c.kept[n:], s.conn.Stopped()
		s.rest(c, err)
	}
}

// fill reads into the memory of a large frame, if one is under way.
func (s *Server) fill(c *Client) (err error) {
	room, _ := s.conn.Room()
	if len(room) == 0 {
		return nil
	}
	n := copy(room, c.kept)
	c.kept = c.kept[n:]
	s.head, err = s.conn.Filled(n)
	return err
}

// transmit moves output to the client, or behind its backlog.
func (s *Server) transmit(c *Client, out []byte) {
	if !c.stalled {
		c.inbox = append(c.inbox, out...)
		return
	}
	c.backlog = append(c.backlog, out...)
	c.working().Backlog = len(c.backlog)
	if high := s.conn.LimitsOf(&c.state).HighWater; high > 0 && len(c.backlog) > high {
		s.setFull(c, true)
	}
}

func (s *Server) setFull(c *Client, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.full = full
}

// drained goes on with a connection whose backlog is gone.
func (s *Server) drained(c *Client) {
	if c.work != nil {
		c.work.Backlog = 0
	}
	s.setFull(c, false)
	s.bind(c)
	s.rest(c, nil)
	s.read(c)
}

// rest ends an event: its output was sent, and the connection ends if it must.
func (s *Server) rest(c *Client, err error) {
	s.conn.Sent()
	if c.work != nil && c.work.Empty() {
		c.work = nil
	}
	switch {
	case err != nil:
		end, _ := errors.AsType[websocket.CloseError](err)
		c.err = err
		s.finish(c, end)
	case c.fin:
		s.finish(c, websocket.CloseError{})
	}
}

// finish is the end of a connection. What it was sent may still be read.
func (s *Server) finish(c *Client, why websocket.CloseError) {
	if c.over {
		return
	}
	s.bind(c)
	counted, err := s.conn.Release(why)
	if err != nil {
		c.err = errors.Join(c.err, err)
	}
	c.cause, c.work, c.kept = counted, nil, nil
	c.notes = s.conn.Noted()
	s.timers = slices.DeleteFunc(s.timers, func(t timer) bool { return t.conn == c })
	s.mu.Lock()
	defer s.mu.Unlock()
	c.over, c.full = true, false
}
