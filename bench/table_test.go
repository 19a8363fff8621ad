package main

import (
	"strings"
	"testing"
	"time"
)

// fullResult is a run with something in every field, the same every time.
func fullResult() *Result {
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := NewCollector(started, time.Second)
	for w := range 2 {
		rec := &Recorder{Interval: newInterval(w, started)}
		for second := range 6 {
			end := started.Add(time.Duration(second+1) * time.Second)
			rec.Setup = second == 0
			if rec.Setup {
				rec.Connected(1000)
				rec.Upgrades += 1000
			} else {
				for i := range int64(1000) {
					rec.Latency(200_000+i*i*int64(second+w+1), 10)
				}
				rec.Messages(10_000, 640_000)
				rec.Sent += 10_000
			}
			if second == 3 {
				rec.Late += 25
				rec.Lose(17, KindReset, end.Add(-300*time.Millisecond))
				rec.Connected(-1)
				rec.Error(KindTimeout)
			}
			iv := rec.Cut(end)
			iv.CPU = 400 * time.Millisecond // not this machine's
			c.Add(iv)
			c.AddRSS(end, 12<<20+int64(second)<<17)
		}
	}
	before := Sample{At: started, RSS: 12 << 20, PSS: 9 << 20, Heap: 2 << 20, Descriptors: 12, Threads: 7}
	start := before
	start.At = started.Add(time.Second)
	start.CPU = Seconds(20 * time.Millisecond)
	end := Sample{
		At: started.Add(6 * time.Second), CPU: Seconds(370 * time.Millisecond), User: Seconds(110 * time.Millisecond), System: Seconds(260 * time.Millisecond),
		RSS: 12<<20 + 159_843, PSS: 9<<20 + 153_501, Heap: 2<<20 + 81_920, Descriptors: 2010, Threads: 7, Voluntary: 42_000, Involuntary: 311,
	}
	r := &Result{
		Mode: "rate", URL: "ws://127.0.0.1:9998/echo", Processes: 2, Connections: 2000, Size: 64, Pipeline: 1, TargetRate: 20_000,
		Server: NewUsage(before, start, end, 1998, 100_000),
		Client: NewUsage(before, start, Sample{
			At: end.At, CPU: Seconds(4 * time.Second), User: Seconds(time.Second), System: Seconds(3 * time.Second),
			RSS: 13 << 20, Descriptors: 2020, Threads: 14, Voluntary: 90_000, Involuntary: 2,
			Missing: []string{"pss: permission denied"},
		}, 1998, 100_000),
		System: NewSystemUsage(SystemSample{Sockets: 4, SocketMem: 8192, Slab: 90 << 20}, SystemSample{Sockets: 4000, SocketMem: 405504, Slab: 107 << 20}, 1998),
		Notes:  []string{"a note of the mode"},
	}
	c.Finish(r)
	return r
}

func TestReport(t *testing.T) {
	var b strings.Builder
	if err := WriteReport(&b, fullResult()); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", []byte(b.String()))
}

func TestReportOfNothing(t *testing.T) {
	r := &Result{Mode: "echo", URL: "ws://127.0.0.1:1/echo", Connections: 1}
	r.Errors, r.ErrorsByKind[KindConnect] = 1, 1
	var b strings.Builder
	if err := WriteReport(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "report-empty.txt", []byte(b.String()))
}

func TestReportSaysFirstThatTheClientWasSlow(t *testing.T) {
	started := time.Unix(1_700_000_000, 0)
	tests := []struct {
		name       string
		cpu        time.Duration
		late, sent int64
		want       string
	}{
		{"idle", 100 * time.Millisecond, 0, 0, ""},
		{"busy", 899 * time.Millisecond, 10, 1000, ""},
		{"busiest", 900 * time.Millisecond, 10, 1000, "its loop used 90 % of a core"},
		{"late", 100 * time.Millisecond, 11, 1000, "1.1 % of the messages left late"},
		{"both", 990 * time.Millisecond, 500, 1000, "50.0 % of the messages left late, and its loop used 99 % of a core"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := NewCollector(started, time.Second)
			for w := range 2 { // one busy loop is enough
				iv := newInterval(w, started)
				iv.End = started.Add(time.Second)
				if w == 1 {
					iv.CPU, iv.Late, iv.Sent = test.cpu, test.late, test.sent
				}
				c.Add(iv)
			}
			var r Result
			c.Finish(&r)
			if r.Bottleneck != test.want {
				t.Fatalf("the bottleneck is %q, want %q", r.Bottleneck, test.want)
			}
			var b strings.Builder
			if err := WriteReport(&b, &r); err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(b.String(), "\n")
			if says := strings.HasPrefix(first, "THE CLIENT WAS THE BOTTLENECK: "); says != (test.want != "") || !strings.Contains(first, test.want) {
				t.Errorf("the first line is %q", first)
			}
		})
	}
}
