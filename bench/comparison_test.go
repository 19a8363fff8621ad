package main

import (
	"strings"
	"testing"
	"time"
)

// comparison has three candidates in two cells; the last has no second one.
func comparison() *Comparison {
	c := NewComparison(time.Unix(1_700_000_000, 0), []string{"echogate", "other", "a|b"})
	const small, large = "100 connections, 64 B, pipeline 1", "100 connections, 16 KiB, pipeline 16"
	add := func(cell, candidate string, cpu, rate float64) *Result {
		r := &Result{Count: 1, Rate: rate, Server: &Usage{CPUPerMessage: cpu, RSSPerConnection: 20 * cpu}}
		r.Latency = Latency{Count: 1, P50: Micros(cpu * 25_000), P99: Micros(cpu * 150_000)}
		c.Add(cell, candidate, r)
		return r
	}
	for round := range 5 {
		noise := []float64{1, 1.4, 0.9, 1.1, 1.02}[round] // the median is 1.02
		add(small, "echogate", 4*noise, 100_000)
		add(small, "other", 8*noise, 50_000*noise)
		add(small, "a|b", 80*noise, 10_000)
		add(large, "echogate", 30*noise, 20_000)
		if r := add(large, "other", 90*noise, 7_000); round == 1 {
			r.Errors, r.ErrorsByKind[KindCorrupt], r.ErrorsByKind[KindEOF] = 3, 2, 1
			r.Bottleneck = "its loop used 95 % of a core"
		}
	}
	return c
}

func TestComparison(t *testing.T) {
	var text, markdown strings.Builder
	if err := comparison().Write(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.txt", []byte(text.String()))
	if err := comparison().WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.md", []byte(markdown.String()))
}

func TestComparisonWithAnotherBase(t *testing.T) {
	c := comparison()
	c.Base = "other"
	var b strings.Builder
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4.08 µs (0.50×)", "   8.16 µs   ", "ratio to other."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestMedian(t *testing.T) {
	rate := func(r *Result) (float64, bool) { return r.Rate, r.Rate > 0 }
	tests := []struct {
		rates []float64
		want  float64
		ok    bool
	}{
		{nil, 0, false},
		{[]float64{0, 0}, 0, false},
		{[]float64{7}, 7, true},
		{[]float64{9, 1, 5}, 5, true},
		{[]float64{9, 1, 5, 7}, 6, true},
		{[]float64{9, 0, 1}, 5, true}, // one run did not measure it
	}
	for _, test := range tests {
		var runs []*Result
		for _, v := range test.rates {
			runs = append(runs, &Result{Rate: v})
		}
		if got, ok := median(runs, rate); got != test.want || ok != test.ok {
			t.Errorf("the median of %v is %v, %v, want %v, %v", test.rates, got, ok, test.want, test.ok)
		}
	}
}
