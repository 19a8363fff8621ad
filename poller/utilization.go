package poller

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// utilization is how much of the time a loop does not wait for events.
//
// It is measured at the loop's ticks, so that the walk reads no clock: the CPU
// time of the thread that the loop runs on, which is next to none while it waits
// in epoll. A tick that is late counts as well: a loop that waits is in time, so
// one that is not was away, even if its handler slept. Looking from outside
// whether the loop is in a callback would tell less: with a loop on each CPU the
// watcher runs when one of them waits.
//
// The runtime may move the loop to another thread when it has nothing to do: that
// interval is left out. What other goroutines did on its thread is counted, for
// so long the loop could not run there.
type utilization struct {
	ratio  float64       // of the last seconds, from 0 to 1
	at     time.Duration // the server's age at the last look; 0: there was none
	thread int           // at the last look
	cpu    time.Duration // of that thread then
}

// utilizationTime is for how long what was measured has weight: after it, 1/e.
const utilizationTime = 2 * time.Second

// look measures the time since the last look; now is the server's age.
func (u *utilization) look(now time.Duration) {
	thread, cpu := threadTime()
	last := *u
	u.at, u.thread, u.cpu = now, thread, cpu
	if last.at == 0 {
		return
	}
	wall, used := now-last.at, time.Duration(-1)
	if thread == last.thread {
		used = cpu - last.cpu
	}
	if wall > 2*tickTime {
		used = max(used, wall-tickTime)
	}
	if used >= 0 {
		u.add(wall, min(used, wall))
	}
}

// add gives the ratio of an interval its weight.
func (u *utilization) add(wall, used time.Duration) {
	if wall <= 0 {
		return
	}
	weight := 1 - math.Exp(-wall.Seconds()/utilizationTime.Seconds())
	u.ratio += (used.Seconds()/wall.Seconds() - u.ratio) * weight
}

// threadTime is the thread that the caller runs on, and its CPU time.
func threadTime() (thread int, cpu time.Duration) {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0, 0
	}
	return unix.Gettid(), time.Duration(t.Nano())
}
