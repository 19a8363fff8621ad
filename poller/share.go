package poller

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"echogate/poller/websocket"
)

// Drain sends a share of the open connections away, from 0 to 1, each in its own
// moment of over, with Config.DrainCode: to move load to other servers. New ones
// are accepted all the time, and stay. It does not wait.
func (s *Server) Drain(share float64, over time.Duration) {
	d := &departure{srv: s, share: share, over: over, began: time.Now(), tick: s.now()}
	if top := s.table.top(); top > 0 {
		d.places = 1 << bits.Len(uint(top-1))
	}
	d.step()
}

// departure is a share of the connections on its way. Time moves it through the
// descriptors, which are taken in an order that mixes them: so it holds nothing for
// a connection, whose moment follows from its descriptor, and has one timer in all.
type departure struct {
	srv    *Server
	share  float64
	over   time.Duration
	began  time.Time
	tick   uint32 // the same in the server's time: who came later stays
	places int    // steps of its way, one for each descriptor there may be: a power of two
	done   int    // how many of them were gone
}

// departPause is the least and departMost the longest time between two steps: a
// step costs each loop a wake-up, and none is waited for when the server has ended.
const departPause, departMost = 2 * tickTime, time.Second

// step goes as far as the time has come, and arranges for the next one. It ends
// with the server.
func (d *departure) step() {
	from, to := d.done, d.due(time.Since(d.began))
	d.done = to
	if from < to && d.srv.each(func(l *loop) { l.depart(d, from, to) }) == 0 {
		return
	}
	if to == d.places {
		return
	}
	select {
	case <-d.srv.ended:
	default:
		time.AfterFunc(min(max(d.over/time.Duration(d.places), departPause), departMost), d.step)
	}
}

// due is how many places the time that has passed reaches.
func (d *departure) due(passed time.Duration) int {
	if passed >= d.over {
		return d.places
	}
	return int(float64(d.places) * float64(passed) / float64(d.over))
}

// descriptor is the one at a place. A product with an odd number runs through all
// of them, far from each other: descriptors that follow each other are often of one
// client.
func (d *departure) descriptor(place int) int {
	return int(uint64(place) * 0x9E3779B97F4A7C15 & uint64(d.places-1))
}

// depart draws from the connections at these places, one slice at a time.
func (l *loop) depart(d *departure, from, to int) {
	end := min(from+slice, to)
	for ; from < end; from++ {
		fd := d.descriptor(from)
		if s := l.table.at(fd); s != nil && s.is(l) && s.ws.Open() && !before(d.tick, s.opened) && rand.Float64() < d.share {
			l.call(fd, s, l.sendAway)
		}
	}
	if from < to {
		_ = l.mail.post(l, letter{kind: letterTask, task: func() { l.depart(d, from, to) }})
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
