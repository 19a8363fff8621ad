package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// idleResult is a run of two hours that only held connections, of which the
// last hundred had to be given up.
func idleResult() *Result {
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := NewCollector(started, time.Second)
	rec := &Recorder{Interval: newInterval(0, started)}
	for second := range 7200 {
		end := started.Add(time.Duration(second+1) * time.Second)
		if second < 10 {
			rec.Connected(100)
			rec.Upgrades += 100
		}
		if second == 7100 {
			rec.Connected(-100)
			rec.Lose(99, KindEOF, end)
		}
		c.Add(rec.Cut(end))
		c.AddRSS(end, 12<<20+int64(min(second, 10))*7800)
	}
	r := &Result{Mode: "idle", URL: "ws://127.0.0.1:9998/<script>alert(1)</script>", Processes: 1, Connections: 1000}
	c.Finish(r)
	return r
}

func pageOf(t *testing.T, r *Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// results are the runs that pages are made of.
var results = sync.OnceValue(func() map[string]*Result {
	return map[string]*Result{
		"rate":    fullResult(),
		"idle":    idleResult(),
		"nothing": {Version: resultVersion, Mode: "echo", URL: "ws://127.0.0.1:1/echo", Connections: 1},
	}
})

func TestHTMLIsWellFormed(t *testing.T) {
	for name, r := range results() {
		t.Run(name, func(t *testing.T) {
			page := pageOf(t, r)
			d := xml.NewDecoder(strings.NewReader(page))
			d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "link"}, xml.HTMLEntity
			var open []string
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("not well formed: %v", err)
				}
				switch e := token.(type) {
				case xml.StartElement:
					open = append(open, e.Name.Local)
				case xml.EndElement:
					if len(open) == 0 || open[len(open)-1] != e.Name.Local {
						t.Fatalf("%s ends inside of %v", e.Name.Local, open)
					}
					open = open[:len(open)-1]
				}
			}
			if len(open) != 0 {
				t.Errorf("not closed: %v", open)
			}
		})
	}
}

// TestHTMLNeedsNothingElse: it is sent round as one file, and holds nothing
// that runs.
func TestHTMLNeedsNothingElse(t *testing.T) {
	for name, r := range results() {
		page := pageOf(t, r)
		page = strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, "")
		page = strings.ReplaceAll(page, `xmlns:xlink="http://www.w3.org/1999/xlink"`, "")
		for _, bad := range []string{"http:", "https:", "//www", "src=", "url(", "@import", "<script", "<?xml", "ZgotmplZ"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page contains %q", name, bad)
			}
		}
	}
}

func TestHTMLDrawsWhatThereIs(t *testing.T) {
	tests := []struct {
		name string
		want []string
	}{
		{"rate", []string{"Latency by percentile", "Latency over time", "Rate over time", "Server memory over time", "Errors over time"}},
		{"idle", []string{"Open connections over time", "Server memory over time", "Errors over time", "Connections opened over time"}},
		{"nothing", nil},
	}
	for _, test := range tests {
		var got []string
		for _, f := range figures(results()[test.name]) {
			got = append(got, f.Title)
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: the plots are %q, want %q", test.name, got, test.want)
		}
	}
}

// TestHTMLOfStrangeFigures: a plot of nothing but zeros, or of one moment, is
// still a plot.
func TestHTMLOfStrangeFigures(t *testing.T) {
	started := time.Unix(1_700_000_000, 0)
	for _, ns := range []int64{0, 1, int64(time.Hour)} {
		c := NewCollector(started, time.Second)
		iv := newInterval(0, started)
		iv.End = started.Add(time.Nanosecond)
		iv.Latencies.Record(ns, 1)
		c.Add(iv)
		var r Result
		c.Finish(&r)
		if page := pageOf(t, &r); strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("a latency of %d ns is drawn at no place", ns)
		}
	}
}

func TestHTMLWarnsOfTheClient(t *testing.T) {
	r := fullResult()
	r.Bottleneck = "its loop used 97 % of a core"
	if page := pageOf(t, r); !strings.Contains(page, "The client was the bottleneck: its loop used 97 % of a core.") {
		t.Error("the page does not say so")
	}
}

// TestThinKeepsWhatMatters: of a long run no message is lost to the mean, and
// no spike to the eye.
func TestThinKeepsWhatMatters(t *testing.T) {
	var series []Moment
	var errors int64
	messages := 0.0
	for i := range 10_000 {
		m := Moment{At: Seconds(i+1) * Seconds(time.Second), Length: Seconds(time.Second), Rate: float64(i % 100), P50: 10, P99: 20, Connections: i}
		if i == 7_777 {
			m.P99, m.Errors = 5000, 3
		}
		messages += m.Rate
		errors += m.Errors
		series = append(series, m)
	}
	series = append(series, Moment{At: Seconds(10_000)*Seconds(time.Second) + 1, Length: 1, Rate: 1e9}) // what Ctrl-C left
	thinned := thin(series)
	if len(thinned) > maxDrawn || len(thinned) < maxDrawn/2 {
		t.Errorf("%d moments are left, want at most %d", len(thinned), maxDrawn)
	}
	var gotErrors int64
	gotMessages, worst := 0.0, Micros(0)
	for _, m := range thinned {
		gotErrors += m.Errors
		gotMessages += m.Rate * time.Duration(m.Length).Seconds()
		worst = max(worst, m.P99)
	}
	if gotErrors != errors || math.Abs(gotMessages-messages) > 1 || worst != 5000 {
		t.Errorf("%d errors, %v messages, worst %d, want %d, %v, 5000", gotErrors, gotMessages, worst, errors, messages)
	}
	if last := thinned[len(thinned)-1]; last.Connections != 9_999 {
		t.Errorf("the last moment has %d connections, want 9999", last.Connections)
	}
}

func TestAxisSteps(t *testing.T) {
	tests := []struct {
		end  float64
		n    int
		want string
	}{
		{60, 8, "0 10 20 30 40 50 60"},
		{5, 8, "0 1 2 3 4 5"},
		{1, 5, "0 0.2 0.4 0.6 0.8 1"},
		{125_000, 5, "0 50,000 100,000"},
		{9.9, 5, "0 2 4 6 8"},
		{1.7, 5, "0 0.5 1 1.5"},
		{1.5, 8, "0 0.2 0.4 0.6 0.8 1 1.2 1.4"},
	}
	for _, test := range tests {
		var labels []string
		for _, tick := range steps(test.end, test.n) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("to %v: %s, want %s", test.end, got, test.want)
		}
	}
}
