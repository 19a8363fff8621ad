package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The client is the bottleneck when its loop is busy for so much of the time,
// or when so many of the messages of an open loop left late: what is measured
// then is how fast the client is.
const (
	busyShare = 0.90
	lateShare = 0.01
	// busyTime is how long a loop must have measured to be called busy: of a
	// shorter run most is its begin and its end.
	busyTime = 100 * time.Millisecond
)

// openMoments is for how many intervals back percentiles of several workers
// are merged: it bounds the histograms that are held. A worker that is further
// behind still counts, but not to the percentiles of that one moment.
const openMoments = 8

// Collector adds up the intervals of all load loops of a run. It belongs to
// one goroutine.
type Collector struct {
	started time.Time
	length  time.Duration // of an interval

	total    Interval // Start and End are those of what was measured
	upgrades int64    // while measuring
	losses   []Loss
	moments  []moment
	workers  map[int]*worker
}

// moment is a Moment while intervals may still be added to it.
type moment struct {
	Moment
	start, end  time.Time // zero: no interval yet
	from, to    time.Time // the same, without Setup
	count       int64
	latencies   *Histogram
	connections map[int]int // by worker
}

// worker is what is known of one load loop.
type worker struct {
	cpu, elapsed time.Duration // while measuring
	connections  int
}

// NewCollector makes the Collector of a run that began at started, and whose
// loops cut their intervals every length from there.
func NewCollector(started time.Time, length time.Duration) *Collector {
	return &Collector{
		started: started,
		length:  length,
		total:   Interval{Latencies: NewHistogram()},
		workers: make(map[int]*worker),
	}
}

// Add adds an interval of any load loop, and keeps nothing of it.
func (c *Collector) Add(iv *Interval) {
	t := &c.total
	t.Count += iv.Count
	t.Bytes += iv.Bytes
	t.Sent += iv.Sent
	t.Late += iv.Late
	t.Upgrades += iv.Upgrades
	t.LostCount += iv.LostCount
	t.Errors.add(&iv.Errors)
	t.Latencies.Merge(iv.Latencies)
	for _, l := range iv.Losses[:min(len(iv.Losses), maxLosses-len(c.losses))] {
		c.losses = append(c.losses, Loss{Seconds(l.At.Sub(c.started)), iv.Worker, l.Connection, l.Kind})
	}
	w := c.workers[iv.Worker]
	if w == nil {
		w = new(worker)
		c.workers[iv.Worker] = w
	}
	w.connections = iv.Connections
	if !iv.Setup {
		c.upgrades += iv.Upgrades
		w.cpu += iv.CPU
		w.elapsed += iv.End.Sub(iv.Start)
		t.Start, t.End = span(t.Start, t.End, iv)
	}
	if m := c.moment(iv.Start); m != nil {
		m.add(c.started, iv)
	}
}

// span widens start to end, or nothing, by iv.
func span(start, end time.Time, iv *Interval) (time.Time, time.Time) {
	if start.IsZero() || iv.Start.Before(start) {
		start = iv.Start
	}
	if iv.End.After(end) {
		end = iv.End
	}
	return start, end
}

// maxMoments bounds the series: a day of seconds. What is longer keeps its
// totals.
const maxMoments = 24 * 60 * 60

// moment is the one that an interval which began at start belongs to; nil
// beyond maxMoments. Loops cut a little late, never early by half an interval.
func (c *Collector) moment(start time.Time) *moment {
	i := int((start.Sub(c.started) + c.length/2) / c.length)
	if i < 0 || i >= maxMoments {
		return nil
	}
	for len(c.moments) <= i {
		c.moments = append(c.moments, moment{})
		if old := len(c.moments) - 1 - openMoments; old >= 0 {
			c.moments[old].latencies, c.moments[old].connections = nil, nil
		}
	}
	m := &c.moments[i]
	if m.start.IsZero() && i >= len(c.moments)-openMoments {
		m.latencies = NewHistogram()
	}
	return m
}

func (m *moment) add(started time.Time, iv *Interval) {
	if m.connections == nil {
		m.connections = make(map[int]int)
	}
	m.Connections += iv.Connections - m.connections[iv.Worker]
	m.connections[iv.Worker] = iv.Connections
	m.start, m.end = span(m.start, m.end, iv)
	m.At = Seconds(m.end.Sub(started))
	m.Length = Seconds(m.end.Sub(m.start))
	m.count += iv.Count
	if !iv.Setup {
		m.from, m.to = span(m.from, m.to, iv)
	}
	m.Rate = perSecond(m.count, Seconds(m.to.Sub(m.from)))
	m.Errors += iv.Errors.Sum()
	m.Upgrades += iv.Upgrades
	if m.latencies != nil {
		m.latencies.Merge(iv.Latencies)
		m.P50, m.P99 = m.latencies.Quantile(50), m.latencies.Quantile(99)
	}
}

// AddRSS notes what the server's memory was at the time at.
func (c *Collector) AddRSS(at time.Time, bytes int64) {
	// The moment that ends now began one interval ago.
	if m := c.moment(at.Add(-c.length)); m != nil {
		m.ServerRSS = bytes
	}
}

// Live is what there is to show while the run goes on.
type Live struct {
	Elapsed     time.Duration // since the run began
	Measured    time.Duration // since measuring did; 0: connections are being opened
	Count       int64         // since the beginning
	Rate        float64       // in the last whole moment
	P99         Micros        // in the last whole moment
	Connections int           // now
	Errors      int64         // since the beginning
}

// Live is the state after the last Add.
func (c *Collector) Live() Live {
	t := &c.total
	l := Live{Measured: t.End.Sub(t.Start), Count: t.Count, Errors: t.Errors.Sum()}
	for _, w := range c.workers {
		l.Connections += w.connections
	}
	n := len(c.moments)
	if n > 1 && len(c.moments[n-1].connections) < len(c.workers) {
		n-- // some workers have not handed it over yet
	}
	if n > 0 {
		m := &c.moments[n-1]
		l.Elapsed, l.Rate, l.P99 = time.Duration(m.At), m.Rate, m.P99
	}
	return l
}

// Finish computes into r what the intervals tell. The Collector takes none after.
func (c *Collector) Finish(r *Result) {
	t := &c.total
	r.Version = resultVersion
	r.Started = c.started.Round(0) // without the monotonic clock, which no reader has
	r.Duration = Seconds(t.End.Sub(t.Start))
	r.Count, r.Bytes = t.Count, t.Bytes
	r.Rate = perSecond(t.Count, r.Duration)
	r.MBPerSecond = perSecond(t.Bytes, r.Duration) / 1e6
	r.Latency, r.Percentiles = t.Latencies.Latency(), t.Latencies.Points()
	r.latencies = t.Latencies
	r.Sent, r.Late = t.Sent, t.Late
	r.Errors, r.ErrorsByKind = t.Errors.Sum(), t.Errors
	r.Lost, r.Losses = t.LostCount, sortedLosses(c.losses)
	r.Upgrades, r.UpgradesPerSecond = t.Upgrades, perSecond(c.upgrades, r.Duration)
	r.Series = []Moment{}
	for i := range c.moments {
		if !c.moments[i].start.IsZero() {
			r.Series = append(r.Series, c.moments[i].Moment)
		}
	}
	if n := t.Latencies.clamped; n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d latencies above %v are counted as %[2]v", n, time.Duration(maxLatency)))
	}
	r.Bottleneck = c.bottleneck()
}

// sortedLosses is a copy of losses in the order of time: several workers
// report theirs interval by interval.
func sortedLosses(losses []Loss) []Loss {
	sorted := append([]Loss{}, losses...)
	slices.SortFunc(sorted, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.Connection, b.Connection))
	})
	return sorted
}

// bottleneck says in which way the client was too slow, if it was.
func (c *Collector) bottleneck() string {
	var busiest float64
	for _, w := range c.workers {
		if w.elapsed >= busyTime {
			busiest = max(busiest, float64(w.cpu)/float64(w.elapsed))
		}
	}
	var reasons []string
	if late := ratio(c.total.Late, c.total.Sent); late > lateShare {
		reasons = append(reasons, fmt.Sprintf("%.1f %% of the messages left late", 100*late))
	}
	if busiest >= busyShare {
		reasons = append(reasons, fmt.Sprintf("its loop used %.0f %% of a core", 100*busiest))
	}
	return strings.Join(reasons, ", and ")
}

func perSecond(n int64, d Seconds) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / time.Duration(d).Seconds()
}

// ratio is a/b, and 0 of nothing.
func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
