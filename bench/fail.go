package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Thresholds are what a run must keep: 'p99<20ms,errors==0,rate>50k'.
type Thresholds []Threshold

// Threshold is one condition on one figure of a Result.
type Threshold struct {
	text   string // as it was given, for the report
	metric metric
	op     operator
	bound  float64 // in the metric's unit
}

// unit is what a metric is counted in, and so what may stand behind a number.
type unit int

const (
	number   unit = iota // k, M
	duration             // ns, µs, us, ms, s; held in microseconds
	size                 // B, KB, MB, GB, KiB, MiB, GiB
)

// suffixes are the units of a bound and what they multiply it by; the longest
// first, because B ends KB too.
var suffixes = map[unit][]suffix{
	number:   {{"k", 1e3}, {"M", 1e6}},
	duration: {{"ns", 1e-3}, {"µs", 1}, {"μs", 1}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}},
	size: {
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
	},
}

type suffix struct {
	text   string
	factor float64
}

// metric is a figure of a Result. value reports false when the run has none.
type metric struct {
	name  string
	unit  unit
	value func(*Result) (float64, bool)
}

// metrics are the names that a Threshold accepts, beside errors.KIND.
var metrics = []metric{
	{"rate", number, func(r *Result) (float64, bool) { return r.Rate, true }},
	{"count", number, func(r *Result) (float64, bool) { return float64(r.Count), true }},
	{"errors", number, func(r *Result) (float64, bool) { return float64(r.Errors), true }},
	{"mean", duration, latency(func(l *Latency) Micros { return l.Mean })},
	{"p50", duration, latency(func(l *Latency) Micros { return l.P50 })},
	{"p90", duration, latency(func(l *Latency) Micros { return l.P90 })},
	{"p99", duration, latency(func(l *Latency) Micros { return l.P99 })},
	{"p99.9", duration, latency(func(l *Latency) Micros { return l.P999 })},
	{"max", duration, latency(func(l *Latency) Micros { return l.Max })},
	{"late", number, func(r *Result) (float64, bool) { return float64(r.Late), true }},
	{"lost", number, func(r *Result) (float64, bool) { return float64(r.Lost), true }},
	{"cpu", duration, func(r *Result) (float64, bool) {
		if r.Server == nil {
			return 0, false
		}
		return r.Server.CPUPerMessage, r.Server.CPUPerMessage > 0
	}},
	{"rss", size, func(r *Result) (float64, bool) {
		if r.Server == nil {
			return 0, false
		}
		return float64(r.Server.End.RSS), r.Server.End.RSS > 0
	}},
}

// latency is the value of a metric that needs at least one message: a run
// without any has no percentiles, and must not pass for a fast one.
func latency(f func(*Latency) Micros) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		return float64(f(&r.Latency)) / float64(time.Microsecond), r.Latency.Count > 0
	}
}

type operator struct {
	text string
	keep func(got, bound float64) bool
}

// operators, those that begin with another one before it.
var operators = []operator{
	{"<=", func(got, bound float64) bool { return got <= bound }},
	{">=", func(got, bound float64) bool { return got >= bound }},
	{"==", func(got, bound float64) bool { return got == bound }},
	{"!=", func(got, bound float64) bool { return got != bound }},
	{"<", func(got, bound float64) bool { return got < bound }},
	{">", func(got, bound float64) bool { return got > bound }},
}

// UnmarshalText reads conditions separated by commas.
func (t *Thresholds) UnmarshalText(text []byte) error {
	var list Thresholds
	for part := range strings.SplitSeq(string(text), ",") {
		one, err := parseThreshold(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	*t = list
	return nil
}

// String is what UnmarshalText read.
func (t Thresholds) String() string {
	texts := make([]string, len(t))
	for i := range t {
		texts[i] = t[i].text
	}
	return strings.Join(texts, ",")
}

func parseThreshold(text string) (Threshold, error) {
	at := strings.IndexAny(text, "<>=!")
	if at < 0 {
		return Threshold{}, fmt.Errorf("%q is not a condition: accepted are METRIC OPERATOR NUMBER, as p99<20ms", text)
	}
	m, err := parseMetric(strings.TrimSpace(text[:at]))
	if err != nil {
		return Threshold{}, err
	}
	op, err := parseOperator(text[at:])
	if err != nil {
		return Threshold{}, fmt.Errorf("%q: %w", text, err)
	}
	bound, err := m.unit.parse(strings.TrimSpace(text[at+len(op.text):]))
	if err != nil {
		return Threshold{}, fmt.Errorf("%q: %w", text, err)
	}
	return Threshold{text, m, op, bound}, nil
}

func parseMetric(name string) (metric, error) {
	if i := slices.IndexFunc(metrics, func(m metric) bool { return m.name == name }); i >= 0 {
		return metrics[i], nil
	}
	if kind, ok := strings.CutPrefix(name, "errors."); ok {
		var k Kind
		if err := k.UnmarshalText([]byte(kind)); err != nil {
			return metric{}, err
		}
		return metric{name, number, func(r *Result) (float64, bool) { return float64(r.ErrorsByKind[k]), true }}, nil
	}
	if q, ok := parseQuantile(name); ok {
		return metric{name, duration, func(r *Result) (float64, bool) {
			if r.latencies == nil || r.Latency.Count == 0 {
				return 0, false
			}
			return micros(r.latencies.Quantile(q)), true
		}}, nil
	}
	names := make([]string, len(metrics))
	for i := range metrics {
		names[i] = metrics[i].name
	}
	return metric{}, fmt.Errorf("%q is not a metric: accepted are %s, any other percentile as p95, errors.KIND", name, strings.Join(names, ", "))
}

// parseQuantile reads p95 or p99.99.
func parseQuantile(name string) (q float64, ok bool) {
	digits, ok := strings.CutPrefix(name, "p")
	q, err := strconv.ParseFloat(digits, 64)
	return q, ok && isDecimal(digits) && err == nil && q > 0 && q < 100
}

func parseOperator(text string) (operator, error) {
	for _, op := range operators {
		if strings.HasPrefix(text, op.text) {
			return op, nil
		}
	}
	return operator{}, fmt.Errorf("%q is not an operator: accepted are < <= > >= == !=", text[:1])
}

// parse reads a number with a unit. A duration needs one, unless it is 0: 20
// could be seconds or microseconds.
func (u unit) parse(text string) (float64, error) {
	digits, factor, named := text, 1.0, false
	for _, s := range suffixes[u] {
		if d, ok := strings.CutSuffix(text, s.text); ok {
			digits, factor, named = d, s.factor, true
			break
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if !isDecimal(digits) || errors.Is(err, strconv.ErrSyntax) {
		return 0, fmt.Errorf("%q is not a number%s", text, u.accepted())
	}
	if err != nil || math.IsInf(v*factor, 0) {
		return 0, fmt.Errorf("%q is out of range", text)
	}
	if !named && u == duration && v != 0 {
		return 0, fmt.Errorf("%q has no unit%s", text, u.accepted())
	}
	return v * factor, nil
}

// isDecimal tells 12 and 1.5 from what else strconv takes for a number: Inf,
// 0x1p-2, 1_000.
func isDecimal(s string) bool {
	return strings.Trim(s, "0123456789.") == ""
}

func (u unit) accepted() string {
	texts := make([]string, len(suffixes[u]))
	for i, s := range suffixes[u] {
		texts[i] = s.text
	}
	return ": accepted are digits and one of " + strings.Join(texts, ", ")
}

// Check names the conditions that r does not keep, each with what was
// measured. A figure that was not measured keeps no condition.
func (t Thresholds) Check(r *Result) []string {
	var failed []string
	for i := range t {
		c := &t[i]
		got, ok := c.metric.value(r)
		switch {
		case !ok:
			failed = append(failed, c.text+": not measured")
		case !c.op.keep(got, c.bound):
			failed = append(failed, fmt.Sprintf("%s: %s is %s", c.text, c.metric.name, c.metric.unit.format(got)))
		}
	}
	return failed
}

// format writes v with its unit, and with more digits than the table has: what
// misses its bound by little must not look like it.
func (u unit) format(v float64) string {
	const digits = 6
	switch u {
	case duration:
		return formatMicros(v, digits)
	case size:
		return formatBytes(v, digits)
	}
	return formatNumber(v, digits)
}
