package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// Recorder is what a load loop writes its figures to. It has no lock: it
// belongs to the loop's goroutine. Once per interval the loop calls Cut and
// hands the Interval over, through a channel or, from a worker process, as
// JSON; a Collector adds the intervals up.
//
//	rec := NewRecorder(worker, time.Now())
//	for { // on every wake-up, with one reading of the clock
//		rec.Messages(n, bytes)
//		rec.Latency(now-sent, n)
//		if due {
//			intervals <- rec.Cut(time.Now())
//		}
//	}
//	intervals <- rec.Cut(time.Now()) // the rest
type Recorder struct {
	*Interval
	cpu time.Duration // of this process, when the interval began
}

// Interval is what happened from Start to End at one load loop. Its fields are
// its maker's until Cut, its receiver's afterwards.
type Interval struct {
	Worker      int           `json:"worker"`
	Setup       bool          `json:"setup,omitempty"` // before measuring: what went wrong counts, its time does not
	Start       time.Time     `json:"start"`
	End         time.Time     `json:"end"`
	Connections int           `json:"connections"` // open at End
	Count       int64         `json:"count"`       // verified echoes
	Bytes       int64         `json:"bytes"`       // their payloads
	Sent        int64         `json:"sent"`        // in an open loop
	Late        int64         `json:"late"`        // of those: not sent when they were due
	Upgrades    int64         `json:"upgrades"`
	Errors      Counts        `json:"errors"`
	LostCount   int64         `json:"lost"`
	Losses      []LostAt      `json:"losses,omitempty"` // the first maxLosses of the interval
	CPU         time.Duration `json:"cpu_ns"`           // that the client's process used
	Latencies   *Histogram    `json:"latencies"`
}

// LostAt is a Loss by the clock.
type LostAt struct {
	At         time.Time `json:"at"`
	Connection int       `json:"connection"`
	Kind       Kind      `json:"kind"`
}

// NewRecorder makes the Recorder of one load loop. worker tells the loops of
// a run apart, from 0. While the loop opens its connections, and does not
// measure yet, it sets Setup on every interval.
func NewRecorder(worker int, now time.Time) *Recorder {
	return &Recorder{newInterval(worker, now), processCPU()}
}

func newInterval(worker int, start time.Time) *Interval {
	return &Interval{Worker: worker, Start: start, Latencies: NewHistogram()}
}

// Latency records n messages that took ns nanoseconds each.
func (r *Recorder) Latency(ns, n int64) { r.Latencies.Record(ns, n) }

// Messages counts n verified echoes with payloads of bytes in all.
func (r *Recorder) Messages(n, bytes int64) {
	r.Count += n
	r.Bytes += bytes
}

// Error counts an error.
func (r *Recorder) Error(k Kind) { r.Errors[k]++ }

// Lose counts a connection that ended without being asked to, and its error.
func (r *Recorder) Lose(connection int, k Kind, now time.Time) {
	r.Error(k)
	r.LostCount++
	if len(r.Losses) < maxLosses {
		r.Losses = append(r.Losses, LostAt{now, connection, k})
	}
}

// Connected counts delta connections more, or less, that are open.
func (r *Recorder) Connected(delta int) { r.Connections += delta }

// Cut ends the interval and begins the next one. The Interval returned is the
// caller's to hand over: the Recorder has forgotten it.
func (r *Recorder) Cut(now time.Time) *Interval {
	done, cpu := r.Interval, processCPU()
	done.End = now
	done.CPU = cpu - r.cpu
	r.Interval, r.cpu = newInterval(done.Worker, now), cpu
	r.Interval.Connections = done.Connections
	return done
}

// processCPU is the CPU time that this process has used, to the nanosecond.
func processCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic("bench: internal error: " + err.Error()) // every process has this clock
	}
	return time.Duration(t.Nano())
}
