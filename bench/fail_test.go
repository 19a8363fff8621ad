package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// thresholdResult is a run with a value of its own for every metric.
func thresholdResult() *Result {
	r := &Result{
		Rate: 50_000, Count: 500_000, Errors: 5, Lost: 2, Late: 7,
		Latency: Latency{
			Count: 500_000,
			Mean:  Micros(100 * time.Microsecond), P50: Micros(90 * time.Microsecond), P90: Micros(200 * time.Microsecond),
			P99: Micros(20 * time.Millisecond), P999: Micros(30 * time.Millisecond), Max: Micros(2 * time.Second),
		},
		Server: &Usage{CPUPerMessage: 3.5, End: Sample{RSS: 64 << 20}},
	}
	r.ErrorsByKind[KindReset] = 5
	r.latencies = NewHistogram() // of 1 to 1,000 ms
	for ms := range int64(1000) {
		r.latencies.Record((ms+1)*1e6, 1)
	}
	return r
}

func TestThresholdsKept(t *testing.T) {
	for _, text := range []string{
		"rate>49.9k", "rate>=50k", "rate==50000", "rate<0.06M", "count==0.5M", "count>499999",
		"errors==5", "errors!=0", "errors.reset==5", "errors.eof==0", "errors.upgrade_timeout<1",
		"mean==100us", "mean==100µs", "mean==100μs", "mean==100000ns", "mean==0.1ms", "p50<100µs", "p90<=200us",
		"p99<=20ms", "p99!=0", "p99.9<31ms", "p99.9<0.031s", "max==2s", "max>0",
		"late==7", "lost<3", "cpu==3500ns", "cpu<4us", "rss==64MiB", "rss<=67108864", "rss<68MB", "rss<1GB",
		"p95>949ms", "p95<951ms", "p75>749ms,p75<751ms", "p99.99>999ms", "p0.1<1.1ms",
		" p99 < 30ms , errors <= 5 ",
	} {
		var th Thresholds
		if err := th.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if failed := th.Check(thresholdResult()); len(failed) != 0 {
			t.Errorf("%q failed: %q", text, failed)
		}
	}
}

func TestThresholdsFailed(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"p99<20ms", []string{"p99<20ms: p99 is 20 ms"}},
		{"p99<10ms,errors==0,rate>50k", []string{"p99<10ms: p99 is 20 ms", "errors==0: errors is 5", "rate>50k: rate is 50,000"}},
		{"p99.9<=29999us", []string{"p99.9<=29999us: p99.9 is 30 ms"}},
		{"errors.reset<1, lost==0", []string{"errors.reset<1: errors.reset is 5", "lost==0: lost is 2"}},
		{"p98<979ms", []string{"p98<979ms: p98 is 980.419 ms"}},
		{"rss<1MiB,cpu<1us,mean<1us", []string{"rss<1MiB: rss is 64 MiB", "cpu<1us: cpu is 3.50000 µs", "mean<1us: mean is 100 µs"}},
	}
	for _, test := range tests {
		var th Thresholds
		if err := th.UnmarshalText([]byte(test.text)); err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if got := th.Check(thresholdResult()); !slices.Equal(got, test.want) {
			t.Errorf("%q failed %q, want %q", test.text, got, test.want)
		}
	}
}

// TestThresholdsNotMeasured has a run without messages and without a server:
// its latencies of 0 must not pass.
func TestThresholdsNotMeasured(t *testing.T) {
	var th Thresholds
	if err := th.UnmarshalText([]byte("p99<20ms,p95<20ms,cpu<5us,rss<1GiB,errors==0,count>0")); err != nil {
		t.Fatal(err)
	}
	want := []string{"p99<20ms: not measured", "p95<20ms: not measured", "cpu<5us: not measured", "rss<1GiB: not measured", "count>0: count is 0"}
	if got := th.Check(&Result{}); !slices.Equal(got, want) {
		t.Errorf("failed %q, want %q", got, want)
	}
}

func TestThresholdsRefused(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `"" is not a condition: accepted are METRIC OPERATOR NUMBER, as p99<20ms`},
		{"p99<20ms,", `"" is not a condition`},
		{"p99", `"p99" is not a condition`},
		{"p98x<20ms", `"p98x" is not a metric: accepted are rate, count, errors, mean, p50, p90, p99, p99.9, max, late, lost, cpu, rss, any other percentile as p95, errors.KIND`},
		{"p<20ms", `"p" is not a metric`},
		{"p100<20ms", `"p100" is not a metric`},
		{"p1e1<20ms", `"p1e1" is not a metric`},
		{"p95<20", `"20" has no unit`},
		{"<20ms", `"" is not a metric`},
		{"errors.bad==0", `"bad" is not a kind of error: accepted are connect, connect_timeout, upgrade,`},
		{"p99=20ms", `"p99=20ms": "=" is not an operator: accepted are < <= > >= == !=`},
		{"p99!20ms", `"!" is not an operator`},
		{"p99<", `"" is not a number: accepted are digits and one of ns, µs, μs, us, ms, s`},
		{"p99<ms", `"ms" is not a number`},
		{"p99<20", `"20" has no unit: accepted are digits and one of ns,`},
		{"p99<20k", `"20k" is not a number`},
		{"p99<<20ms", `"<20ms" is not a number`},
		{"p99<-1ms", `"-1ms" is not a number`},
		{"rate>1.2.3k", `"1.2.3k" is not a number: accepted are digits and one of k, M`},
		{"rate>50K", `"50K" is not a number`},
		{"rate>NaN", `"NaN" is not a number`},
		{"rate>Inf", `"Inf" is not a number`},
		{"rate>0x10", `"0x10" is not a number`},
		{"rate>1e9", `"1e9" is not a number`},
		{"rate>1_000", `"1_000" is not a number`},
		{"rate>" + strings.Repeat("9", 400), `is out of range`},
		{"rate>" + strings.Repeat("9", 308) + "k", `is out of range`},
		{"rss<1TB", `"1TB" is not a number: accepted are digits and one of KiB,`},
	}
	for _, test := range tests {
		var th Thresholds
		err := th.UnmarshalText([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q says %v, want %q", test.text, err, test.want)
		}
	}
}

// FuzzThresholds: what is read can be read again and means the same.
func FuzzThresholds(f *testing.F) {
	f.Add("p99<20ms,errors==0,rate>50k")
	f.Add("errors.reset!=1 , rss<=1.5GiB")
	f.Add("p99.9>=.5s,mean==0")
	f.Fuzz(func(t *testing.T, text string) {
		var a, b Thresholds
		if a.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := b.UnmarshalText([]byte(a.String())); err != nil {
			t.Fatalf("%q was read, and is refused as %q: %v", text, a, err)
		}
		r := thresholdResult()
		if !slices.Equal(a.Check(r), b.Check(r)) {
			t.Fatalf("%q and %q differ", text, a)
		}
		for _, one := range a {
			if one.bound < 0 {
				t.Fatalf("%q has the bound %v", one.text, one.bound)
			}
		}
	})
}
