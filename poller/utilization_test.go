package poller

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// burn uses CPU time on this thread.
func burn(d time.Duration) {
	_, began := threadTime()
	for now := began; now-began < d; _, now = threadTime() {
	}
}

// TestUtilizationOfThread: what the thread computes counts, what it waits does
// not, and neither does what another thread did.
func TestUtilizationOfThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const weight = 0.004987520807317687 // of one tick
	look := func(u *utilization, at time.Duration) { u.look(time.Minute + at) }
	near := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %v, want %v to %v", what, got, low, high)
		}
	}
	var u utilization
	look(&u, 0)
	near("at the first look", u.ratio, 0, 0)
	burn(tickTime / 2) // a busy machine makes it no longer: it is CPU time
	look(&u, tickTime)
	near("half of a tick", u.ratio, weight/2, weight)
	u = utilization{at: time.Minute, thread: u.thread, cpu: u.cpu}
	look(&u, tickTime)
	near("nothing", u.ratio, 0, weight/2)
	u = utilization{at: time.Minute, thread: u.thread + 1, cpu: 0}
	burn(tickTime)
	look(&u, tickTime)
	near("another thread", u.ratio, 0, 0)
	u = utilization{at: time.Minute, thread: u.thread + 1, cpu: 0}
	look(&u, time.Hour)
	near("a tick that is an hour late", u.ratio, 0.99, 1)
	u = utilization{at: time.Minute, thread: u.thread, cpu: u.cpu + time.Hour}
	look(&u, tickTime)
	near("a clock that went back", u.ratio, 0, 0)
}

// TestUtilizationForgets: after a while the past has little weight, whatever
// the intervals are.
func TestUtilizationForgets(t *testing.T) {
	for _, step := range []time.Duration{tickTime, 100 * time.Millisecond, time.Second} {
		u := utilization{ratio: 1}
		for at := time.Duration(0); at < utilizationTime; at += step {
			u.add(step, step/4)
		}
		if want := 0.25 + 0.75/math.E; math.Abs(u.ratio-want) > 1e-9 {
			t.Errorf("in steps of %v: %v, want %v", step, u.ratio, want)
		}
	}
}

// TestUtilizationOfLoops: a loop whose handlers compute or sleep is busy, the
// other is not, and one without connections is at rest.
func TestUtilizationOfLoops(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/sleep": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		time.Sleep(5 * tickTime)
		return c.Send(op, p)
	}}}, nil)
	idle, busy := s.dial("/sleep"), s.dial("/sleep")
	loopOf := func(c *client) int {
		list, _ := s.Connections(2)
		for _, one := range list {
			if one.Remote.String() == c.LocalAddr().String() {
				return one.Loop
			}
		}
		t.Fatal("the connection is not listed")
		return 0
	}
	at, other := loopOf(busy), loopOf(idle)
	s.until("a busy loop and an idle one", func(got Stats) bool {
		busy.echo("x")
		return got.Utilization[at] > 0.5 && got.Utilization[at] <= 1 && got.Utilization[other] < got.Utilization[at]
	})
	busy.Close()
	idle.Close()
	s.until("rest", func(got Stats) bool { return got.Utilization[0] == 0 && got.Utilization[1] == 0 })
}

// TestUtilizationOfSilent: a loop that does not answer does not wait.
func TestUtilizationOfSilent(t *testing.T) {
	t.Parallel()
	s := start(t, echoTable, func(c *Config) { c.Loops = 1 })
	release := s.blockLoop()
	if got := s.Stats(); got.Utilization[0] != 1 {
		t.Errorf("got %v of a blocked loop", got.Utilization)
	}
	close(release)
}
