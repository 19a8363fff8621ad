package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// TestMergeIsExact gives the same latencies to one recorder, and to three whose
// intervals go through JSON as from worker processes.
func TestMergeIsExact(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	one, whole := NewRecorder(0, start), NewCollector(start, time.Second)
	var workers []*Recorder
	for w := range 3 {
		workers = append(workers, NewRecorder(w, start))
	}
	merged := NewCollector(start, time.Second)
	for second := range 4 {
		now := start.Add(time.Duration(second+1) * time.Second)
		for i := range int64(3000) {
			ns := 1000 + i*i*7919%50_000_000
			for _, r := range []*Recorder{one, workers[i%3]} {
				r.Latency(ns, 1)
				r.Messages(1, 64)
				if i%500 == 0 {
					r.Lose(int(i), KindReset, now)
				}
			}
		}
		whole.Add(one.Cut(now))
		for _, w := range workers {
			merged.Add(throughJSON(t, w.Cut(now)))
		}
	}
	var a, b Result
	whole.Finish(&a)
	merged.Finish(&b)
	for i := range b.Losses {
		b.Losses[i].Worker = 0
	}
	b.Losses = sortedLosses(b.Losses)
	a.Bottleneck, b.Bottleneck = "", "" // of this machine
	if got, want := jsonOf(t, &b), jsonOf(t, &a); got != want {
		t.Errorf("merged:\n%s\nwant, as of one:\n%s", got, want)
	}
	if !whole.total.Latencies.hdr.Equals(merged.total.Latencies.hdr) {
		t.Error("the merged buckets differ")
	}
	if a.Count != 12_000 || a.Latency.Count != 12_000 || a.Rate != 3000 || a.Lost != 24 {
		t.Errorf("count %d, latencies %d, rate %v, lost %d, want 12000, 12000, 3000, 24", a.Count, a.Latency.Count, a.Rate, a.Lost)
	}
}

func throughJSON(t *testing.T, in *Interval) *Interval {
	t.Helper()
	out := new(Interval)
	if err := json.Unmarshal([]byte(jsonOf(t, in)), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
