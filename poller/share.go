package poller

import (
	"math/rand/v2"
	"time"

	"echogate/poller/websocket"
)

// Drain sends a share of the open connections away, from 0 to 1, each in its own
// moment of over, with Config.DrainCode: to move load to other servers. New ones
// are accepted all the time. It does not wait.
func (s *Server) Drain(share float64, over time.Duration) {
	s.each(func(l *loop) { l.drainShare(0, share, over) })
}

// drainShare draws from the connections from descriptor fd on, one slice at a
// time.
func (l *loop) drainShare(fd int, share float64, over time.Duration) {
	top := l.table.top()
	for end := min(fd+slice, top); fd < end; fd++ {
		if s := l.table.at(fd); s != nil && s.is(l) && s.ws.Open() && rand.Float64() < share {
			l.newTimer(fd, s, time.Duration(rand.Float64()*float64(over)), l.sendAway)
		}
	}
	if fd < top {
		_ = l.mail.post(l, letter{kind: letterTask, task: func() { l.drainShare(fd, share, over) }})
	}
}

// jobLook is how often the end of a job is looked for.
const jobLook = 100 * time.Millisecond

// sendAway is for the connections drawn. A message whose job is under way has been
// taken: its answer leaves before.
func (l *loop) sendAway(c *websocket.Conn) error {
	if c.State().Working() {
		c.After(jobLook, l.sendAway)
		return nil
	}
	return l.farewell()(c)
}

// farewell is how connections are sent away.
func (l *loop) farewell() func(*websocket.Conn) error {
	if l.srv.conf().DrainCode == websocket.ErrRestart.Code {
		return restart
	}
	return goAway
}
