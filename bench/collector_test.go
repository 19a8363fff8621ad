package main

import (
	"testing"
	"time"
)

var collectorStart = time.Unix(1_700_000_000, 0)

// interval is one of worker from a second to another, with count messages of
// a millisecond.
func interval(worker int, from, to float64, count int64) *Interval {
	at := func(s float64) time.Time { return collectorStart.Add(time.Duration(s * float64(time.Second))) }
	iv := newInterval(worker, at(from))
	iv.End = at(to)
	iv.Count, iv.Bytes = count, 100*count
	if count > 0 {
		iv.Latencies.Record(int64(time.Millisecond), count)
	}
	return iv
}

// TestCollectorSetup: opening connections takes time that is not measured, and
// may fail, which counts.
func TestCollectorSetup(t *testing.T) {
	c := NewCollector(collectorStart, time.Second)
	setup := interval(0, 0, 0.8, 0)
	setup.Setup, setup.Upgrades, setup.Connections = true, 1000, 1000
	setup.Errors[KindConnect] = 2
	setup.CPU = 800 * time.Millisecond // busy, but not while measuring
	c.Add(setup)
	c.Add(interval(0, 0.8, 1.8, 5000))
	last := interval(0, 1.8, 2.8, 5000)
	last.Upgrades = 10
	c.Add(last)
	var r Result
	c.Finish(&r)
	if r.Duration != Seconds(2*time.Second) || r.Rate != 5000 || r.MBPerSecond != 0.5 {
		t.Errorf("duration %v, rate %v, %v MB/s, want 2s, 5000, 0.5", time.Duration(r.Duration), r.Rate, r.MBPerSecond)
	}
	if r.Errors != 2 || r.Upgrades != 1010 || r.UpgradesPerSecond != 5 {
		t.Errorf("errors %d, upgrades %d, %v per second, want 2, 1010, 5", r.Errors, r.Upgrades, r.UpgradesPerSecond)
	}
	if r.Bottleneck != "" {
		t.Errorf("the client was the bottleneck: %s", r.Bottleneck)
	}
}

// What a run of an instant used of a core is its begin and its end.
func TestBottleneckNeedsTime(t *testing.T) {
	for _, x := range []struct {
		seconds float64
		busy    bool
	}{{0.0001, false}, {0.099, false}, {0.1, true}, {10, true}} {
		c := NewCollector(collectorStart, time.Second)
		iv := interval(0, 0, x.seconds, 1)
		iv.CPU = iv.End.Sub(iv.Start)
		c.Add(iv)
		var r Result
		c.Finish(&r)
		if busy := r.Bottleneck != ""; busy != x.busy {
			t.Errorf("a core for %v s: got %q", x.seconds, r.Bottleneck)
		}
	}
}

// TestCollectorSeries: the moments of several workers are added up, whichever
// comes first, and one that has both setup and messages has the rate of these.
func TestCollectorSeries(t *testing.T) {
	c := NewCollector(collectorStart, time.Second)
	for w := range 2 {
		setup := interval(w, 0, 0.4, 0)
		setup.Setup = true
		setup.Connections = 10
		c.Add(setup)
	}
	for w := range 2 {
		for s := range 3 {
			iv := interval(w, 0.4+float64(s), 1.4+float64(s), 1000)
			iv.Connections = 10 - s
			c.Add(iv)
		}
	}
	c.AddRSS(collectorStart.Add(1400*time.Millisecond), 7<<20)
	var r Result
	c.Finish(&r)
	if len(r.Series) != 3 {
		t.Fatalf("%d moments, want 3: %+v", len(r.Series), r.Series)
	}
	for i, m := range r.Series {
		if m.Rate != 2000 || m.Connections != 20-2*i {
			t.Errorf("moment %d: rate %v, connections %d, want 2000, %d", i, m.Rate, m.Connections, 20-2*i)
		}
		within(t, "p99", m.P99, time.Millisecond)
	}
	if r.Series[0].ServerRSS != 7<<20 || r.Series[0].At != Seconds(1400*time.Millisecond) {
		t.Errorf("the first moment is %+v, want one that ends after 1.4 s, with 7 MiB", r.Series[0])
	}
}

// TestCollectorClocks: the clocks of worker processes differ a little, and
// loops cut a little early or late.
func TestCollectorClocks(t *testing.T) {
	c := NewCollector(collectorStart, time.Second)
	for _, cut := range [][2]float64{{0, 0.99}, {0.99, 2.04}, {2.04, 2.97}} {
		c.Add(interval(0, cut[0], cut[1], 1))
	}
	var r Result
	c.Finish(&r)
	if len(r.Series) != 3 {
		t.Errorf("%d moments, want 3: %+v", len(r.Series), r.Series)
	}
}

// TestCollectorLive: what is shown is the last moment that all workers have
// handed over, not half of the next one.
func TestCollectorLive(t *testing.T) {
	c := NewCollector(collectorStart, time.Second)
	if l := c.Live(); l != (Live{}) {
		t.Errorf("before anything: %+v", l)
	}
	for w := range 2 {
		iv := interval(w, 0, 1, 1000)
		iv.Connections = 5
		iv.Errors[KindEOF] = 1
		c.Add(iv)
	}
	c.Add(interval(0, 1, 2, 1000)) // has lost its connections
	l := c.Live()
	if l.Rate != 2000 || l.Elapsed != time.Second || l.Connections != 5 || l.Errors != 2 || l.Count != 3000 {
		t.Errorf("got %+v, want the first second's rate of 2000, 5 connections, 2 errors, 3000 messages", l)
	}
	c.Add(interval(1, 1, 2, 500))
	if l = c.Live(); l.Rate != 1500 || l.Elapsed != 2*time.Second || l.Connections != 0 {
		t.Errorf("got %+v, want the second second's rate of 1500", l)
	}
}

// TestCollectorHoldsFewHistograms: a run of days must not keep one for every
// second. A worker that comes late still counts.
func TestCollectorHoldsFewHistograms(t *testing.T) {
	c := NewCollector(collectorStart, time.Second)
	for s := range 100 {
		c.Add(interval(0, float64(s), float64(s+1), 10))
	}
	c.Add(interval(1, 3, 4, 10))
	held := 0
	for i := range c.moments {
		if c.moments[i].latencies != nil {
			held++
		}
	}
	if held > openMoments {
		t.Errorf("%d histograms are held, want %d at most", held, openMoments)
	}
	var r Result
	c.Finish(&r)
	if r.Count != 1010 || r.Latency.Count != 1010 || r.Series[3].Rate != 20 {
		t.Errorf("count %d, latencies %d, rate of the fourth second %v, want 1010, 1010, 20", r.Count, r.Latency.Count, r.Series[3].Rate)
	}
}

// TestCollectorBoundsWhatGrows: a server that dies loses all connections.
func TestCollectorBoundsWhatGrows(t *testing.T) {
	c := NewCollector(collectorStart, time.Second)
	for w := range 2 {
		rec := &Recorder{Interval: newInterval(w, collectorStart)}
		for i := range maxLosses + 100 {
			rec.Lose(i, KindReset, collectorStart)
		}
		iv := rec.Cut(collectorStart.Add(time.Second))
		if len(iv.Losses) != maxLosses {
			t.Errorf("an interval lists %d losses, want %d", len(iv.Losses), maxLosses)
		}
		c.Add(iv)
	}
	c.Add(interval(0, 3*maxMoments, 3*maxMoments+1, 1)) // a run of three days
	var r Result
	c.Finish(&r)
	if len(r.Losses) != maxLosses || r.Lost != 2*(maxLosses+100) || r.Errors != r.Lost {
		t.Errorf("%d losses of %d listed, %d errors", len(r.Losses), r.Lost, r.Errors)
	}
	if len(r.Series) != 1 || r.Count != 1 {
		t.Errorf("%d moments, %d messages, want 1 and 1", len(r.Series), r.Count)
	}
}

// TestRecorderCut: an interval holds what happened since the one before, and
// the connections that are open.
func TestRecorderCut(t *testing.T) {
	rec := NewRecorder(3, collectorStart)
	rec.Connected(5)
	rec.Messages(2, 128)
	rec.Latency(1000, 2)
	rec.Error(KindTimeout)
	first := rec.Cut(collectorStart.Add(time.Second))
	rec.Connected(-1)
	second := rec.Cut(collectorStart.Add(2 * time.Second))
	if first.Count != 2 || first.Bytes != 128 || first.Latencies.Count() != 2 || first.Errors.Sum() != 1 || first.Connections != 5 || first.Worker != 3 {
		t.Errorf("the first interval is %+v", first)
	}
	if second.Count != 0 || second.Latencies.Count() != 0 || second.Errors.Sum() != 0 || second.Connections != 4 || second.Worker != 3 {
		t.Errorf("the second interval is %+v", second)
	}
	if !second.Start.Equal(first.End) || !first.Start.Equal(collectorStart) {
		t.Errorf("the intervals are from %v to %v and from %v", first.Start, first.End, second.Start)
	}
	if first.CPU < 0 || second.CPU < 0 {
		t.Errorf("CPU times %v and %v", first.CPU, second.CPU)
	}
}
