package main

import (
	"math"
	"testing"
	"time"
)

func within(t *testing.T, what string, got Micros, want time.Duration) {
	t.Helper()
	if math.Abs(float64(got)-float64(want)) > float64(want)/1000 {
		t.Errorf("%s is %v, want %v within 0.1 %%", what, time.Duration(got), want)
	}
}

// TestPercentilesOfKnownDistribution records 1 to 100,000 µs once each: the
// percentiles are the numbers themselves.
func TestPercentilesOfKnownDistribution(t *testing.T) {
	h := NewHistogram()
	for i := int64(1); i <= 100_000; i++ {
		h.Record(i*1000, 1)
	}
	l := h.Latency()
	within(t, "p50", l.P50, 50*time.Millisecond)
	within(t, "p90", l.P90, 90*time.Millisecond)
	within(t, "p99", l.P99, 99*time.Millisecond)
	within(t, "p99.9", l.P999, 99900*time.Microsecond)
	if l.Count != 100_000 || l.Mean != Micros(50_000_500) || l.Max != Micros(100*time.Millisecond) {
		t.Errorf("count %d, mean %v, max %v, want 100000, exactly 50.0005ms, exactly 100ms", l.Count, time.Duration(l.Mean), time.Duration(l.Max))
	}
	for _, p := range h.Points() {
		if p.Percentile > 0 {
			within(t, "a point", p.Latency, time.Duration(p.Count)*time.Microsecond)
		}
	}
	if points := h.Points(); points[len(points)-1] != (Point{100, Micros(100 * time.Millisecond), 100_000}) {
		t.Errorf("the last point is %+v", points[len(points)-1])
	}
}

// TestPercentilesOfBatches: n messages at once weigh as much as one by one.
func TestPercentilesOfBatches(t *testing.T) {
	one, batch := NewHistogram(), NewHistogram()
	for i := int64(0); i < 1000; i++ {
		for range i % 7 {
			one.Record(i*i*37, 1)
		}
		batch.Record(i*i*37, i%7)
	}
	if !one.hdr.Equals(batch.hdr) || one.Latency() != batch.Latency() {
		t.Errorf("batch %+v, one by one %+v", batch.Latency(), one.Latency())
	}
}

// TestPercentilesOfFewNanoseconds: the buckets of short latencies are not wider
// than the digits promise.
func TestPercentilesOfFewNanoseconds(t *testing.T) {
	for _, ns := range []int64{0, 1, 999, 12_345, 20_017, 999_999} {
		h := NewHistogram()
		h.Record(ns, 1)
		h.Record(ns*2, 1)
		within(t, "p50", h.Quantile(50), time.Duration(ns))
		if got := h.Quantile(100); got != Micros(ns*2) {
			t.Errorf("p100 is %v, want the maximum, %v", time.Duration(got), time.Duration(ns*2))
		}
	}
}

func TestLatenciesBeyondTheRange(t *testing.T) {
	h := NewHistogram()
	h.Record(int64(90*time.Second), 3)
	h.Record(-5, 1)
	l := h.Latency()
	if l.Count != 4 || h.clamped != 3 || l.Max != Micros(90*time.Second) {
		t.Errorf("count %d, clamped %d, max %v, want 4, 3, 90s", l.Count, h.clamped, time.Duration(l.Max))
	}
	within(t, "p99", l.P99, time.Minute)
	c := NewCollector(time.Unix(0, 0), time.Second)
	iv := newInterval(0, time.Unix(0, 0))
	iv.Latencies = h
	c.Add(iv)
	var r Result
	c.Finish(&r)
	if len(r.Notes) != 1 || r.Notes[0] != "3 latencies above 1m0s are counted as 1m0s" {
		t.Errorf("notes %q, want that 3 were beyond the range", r.Notes)
	}
}

func BenchmarkRecord(b *testing.B) {
	h := NewHistogram()
	b.ReportAllocs()
	i := int64(0)
	for b.Loop() {
		h.Record(20_000+i&0xffff, 1)
		i++
	}
}

// TestRecordDoesNotAllocate: it is called for every batch of echoes.
func TestRecordDoesNotAllocate(t *testing.T) {
	r := NewRecorder(0, time.Now())
	if n := testing.AllocsPerRun(1000, func() {
		r.Latency(23_456, 1)
		r.Messages(1, 64)
		r.Error(KindReset)
	}); n != 0 {
		t.Errorf("recording allocates %v times, want 0", n)
	}
}
