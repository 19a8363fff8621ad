package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
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

// TestResultSchema is the promise to whoever reads --json: a change of the
// golden file that is not an addition needs a new version.
func TestResultSchema(t *testing.T) {
	want := fullResult()
	var b bytes.Buffer
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "result.json", b.Bytes())
	got, err := ReadResult(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	got.latencies = want.latencies // not in the JSON
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back:\n%s\nwant\n%s", jsonOf(t, got), jsonOf(t, want))
	}
}

func TestReadResultRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{`{"version": 2}`, "bench: a result of version 2: accepted is 1"},
		{`{}`, "bench: a result of version 0: accepted is 1"},
		{`{"version": 1, "losses": [{"kind": "other"}]}`, `"other" is not a kind of error: accepted are connect, `},
		{`{"version": 1, "errors_by_kind": {"bad": 1}}`, `"bad" is not a kind of error`},
		{`[`, "bench: reading a result: unexpected EOF"},
	}
	for _, test := range tests {
		if _, err := ReadResult(strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s says %v, want %q", test.text, err, test.want)
		}
	}
}
