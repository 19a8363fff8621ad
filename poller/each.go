package poller

import "echogate/poller/websocket"

// Each runs f on every open connection whose route has the pattern, each on its
// own loop, in slices, so that a million of them do not stop anything. It does
// not wait; connections that come or go meanwhile may be left out.
func (s *Server) Each(pattern string, f func(*websocket.Conn) error) {
	s.each(func(l *loop) { l.visit(0, pattern, f) })
}

// visit runs f on the connections of a route from descriptor fd on, one slice
// at a time.
func (l *loop) visit(fd int, pattern string, f func(*websocket.Conn) error) {
	top := l.table.top()
	for end := min(fd+slice, top); fd < end; fd++ {
		s := l.table.at(fd)
		if s == nil || !s.is(l) || !s.ws.Open() {
			continue
		}
		l.bind(fd, s)
		if l.conn.Pattern() == pattern {
			l.call(fd, s, f)
		}
	}
	if fd < top {
		_ = l.mail.post(l, letter{kind: letterTask, task: func() { l.visit(fd, pattern, f) }})
	}
}
