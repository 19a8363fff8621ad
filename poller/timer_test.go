package poller

import (
	"math/rand/v2"
	"testing"
	"time"

	"echogate/poller/websocket"
)

// setTimer files a function of Conn.After on a connection.
func (c stillConn) setTimer(d time.Duration, f func(*websocket.Conn) error) (timer websocket.Timer) {
	c.l.call(c.fd, c.slot, func(conn *websocket.Conn) error {
		timer = conn.After(d, f)
		return nil
	})
	return timer
}

// TestTimersModel sets, stops and lets come up timers of several connections:
// each runs once at its time, unless it was stopped before.
func TestTimersModel(t *testing.T) {
	l := still(t, limited(nil))
	conns := []stillConn{open(t, l), open(t, l), open(t, l)}
	rng := rand.New(rand.NewPCG(3, 4))
	type entry struct {
		timer websocket.Timer
		due   uint32
	}
	waiting, ran := map[int]entry{}, map[int]bool{}
	for id := range 2000 {
		switch rng.IntN(4) {
		case 0, 1:
			d := time.Duration(rng.IntN(50)) * tickTime
			timer := conns[rng.IntN(len(conns))].setTimer(d, func(*websocket.Conn) error { ran[id] = true; return nil })
			waiting[id] = entry{timer, l.tick + max(ticks(d), 1)}
		case 2:
			for id, e := range waiting {
				if !e.timer.Stop() || e.timer.Stop() {
					t.Fatalf("timer %d: Stop is to be true once", id)
				}
				delete(waiting, id)
				break
			}
		case 3:
			later(t, l, time.Duration(rng.IntN(5))*tickTime)
			for id, e := range waiting {
				if due := !before(l.tick, e.due); due != ran[id] {
					t.Fatalf("timer %d is due at %d: at %d it ran: %t", id, e.due, l.tick, ran[id])
				}
				if ran[id] {
					delete(waiting, id)
					delete(ran, id)
				}
			}
			if len(ran) > 0 {
				t.Fatalf("timers that were stopped or had run ran: %v", ran)
			}
		}
		if n := l.snapshot().Timers; n != len(waiting) {
			t.Fatalf("%d timers wait, want %d", n, len(waiting))
		}
	}
}

// TestTimersEndWithTheirConnection, and its place may be used by the next one's.
func TestTimersEndWithTheirConnection(t *testing.T) {
	l := still(t, limited(nil))
	gone, stays := open(t, l), open(t, l)
	var old []websocket.Timer
	for range 5 {
		old = append(old, gone.setTimer(time.Second/10, func(*websocket.Conn) error { t.Error("a timer outlived its connection"); return nil }))
	}
	ran := 0
	stays.setTimer(time.Second/10, func(*websocket.Conn) error { ran++; return nil })
	l.cut(gone.fd, gone.slot, websocket.ErrReset)
	if n := l.snapshot().Timers; n != 1 {
		t.Errorf("%d timers wait, want the other connection's", n)
	}
	for range 5 { // in the places of the old ones
		stays.setTimer(time.Second/10, func(*websocket.Conn) error { ran++; return nil })
	}
	for _, timer := range old {
		if timer.Stop() {
			t.Error("an old Timer stopped another one's function")
		}
	}
	later(t, l, time.Second/5)
	if ran != 6 {
		t.Errorf("%d functions ran, want 6", ran)
	}
	if new(websocket.Timer).Stop() {
		t.Error("the zero Timer was stopped")
	}
}

// TestTimerStopsAnother that comes up in the same tick.
func TestTimerStopsAnother(t *testing.T) {
	l := still(t, limited(nil))
	c := open(t, l)
	var timers [2]websocket.Timer
	ran := 0
	for i := range timers {
		timers[i] = c.setTimer(time.Second/10, func(*websocket.Conn) error {
			ran++
			if !timers[1-i].Stop() {
				t.Error("the other timer had not run, and was not stopped")
			}
			return nil
		})
	}
	later(t, l, time.Second/5)
	if ran != 1 || l.snapshot().Timers != 0 {
		t.Errorf("%d functions ran, %d wait, want 1 and none", ran, l.snapshot().Timers)
	}
}
