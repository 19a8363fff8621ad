package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a Histogram. The unit is one nanosecond and not the microsecond
// of the smallest latency: with 1,000 the buckets below a millisecond would be
// 512 ns wide, two percent of an echo over loopback. It costs 74 KB more, of
// which the cache holds only what is written. Three digits are 0.1 %.
const (
	minLatency    = 1
	maxLatency    = int64(60 * time.Second)
	latencyDigits = 3
)

// Histogram is a distribution of latencies in nanoseconds. Mean and maximum are
// exact, percentiles are so within 0.1 %. A Histogram is for one goroutine.
type Histogram struct {
	hdr     *hdrhistogram.Histogram
	sum     float64 // whole nanoseconds; a million connections for three hours overflow an int64
	max     int64
	clamped int64 // latencies above maxLatency, counted as maxLatency
}

// NewHistogram makes an empty Histogram of 221 KB.
func NewHistogram() *Histogram {
	return &Histogram{hdr: hdrhistogram.New(minLatency, maxLatency, latencyDigits)}
}

// Record adds n messages that took ns nanoseconds each. A clock that was read
// in two places may run backwards by a tick: below 0 is 0.
func (h *Histogram) Record(ns, n int64) {
	ns = max(ns, 0)
	h.max = max(h.max, ns)
	h.sum += float64(ns) * float64(n)
	if ns > maxLatency {
		h.clamped += n
		ns = maxLatency
	}
	if err := h.hdr.RecordValues(ns, n); err != nil {
		panic("bench: internal error: " + err.Error()) // within the range nothing is refused
	}
}

// Merge adds g to h. Nothing is lost: the buckets are the same.
func (h *Histogram) Merge(g *Histogram) {
	if g.Count() == 0 {
		return // of an idle second; a walk over its buckets takes 0.1 ms
	}
	h.max = max(h.max, g.max)
	h.sum += g.sum
	h.clamped += g.clamped
	if dropped := h.hdr.Merge(g.hdr); dropped != 0 {
		panic(fmt.Sprintf("bench: internal error: %d latencies lost in a merge", dropped))
	}
}

// Count is the number of messages recorded.
func (h *Histogram) Count() int64 { return h.hdr.TotalCount() }

// Quantile is the latency that q percent of the messages did not exceed.
func (h *Histogram) Quantile(q float64) Micros {
	// The end of the highest bucket may lie beyond what was ever recorded.
	return Micros(min(h.hdr.ValueAtPercentile(q), h.max))
}

// Mean is the exact mean.
func (h *Histogram) Mean() Micros {
	if h.Count() == 0 {
		return 0
	}
	return Micros(roundDuration(h.sum / float64(h.Count())))
}

// Latency sums h up.
func (h *Histogram) Latency() Latency {
	return Latency{
		Count: h.Count(),
		Mean:  h.Mean(),
		P50:   h.Quantile(50),
		P90:   h.Quantile(90),
		P99:   h.Quantile(99),
		P999:  h.Quantile(99.9),
		Max:   Micros(h.max),
	}
}

// Points are the points of the distribution, five to every halving of the
// distance to 100 %, so that the tail has as many as the middle.
func (h *Histogram) Points() []Point {
	points := []Point{}
	if h.Count() == 0 {
		return points
	}
	for _, b := range h.hdr.CumulativeDistributionWithTicks(5) {
		points = append(points, Point{b.Quantile, Micros(min(b.ValueAt, h.max)), b.Count})
	}
	return points
}

// histogramWire is a Histogram between processes.
type histogramWire struct {
	HDR     string  `json:"hdr"` // V2 compressed, base64
	Sum     float64 `json:"sum_ns"`
	Max     int64   `json:"max_ns"`
	Clamped int64   `json:"clamped"`
}

// MarshalJSON writes h without loss.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	hdr, err := h.hdr.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, err
	}
	return json.Marshal(histogramWire{string(hdr), h.sum, h.max, h.clamped})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var w histogramWire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	hdr, err := hdrhistogram.Decode([]byte(w.HDR))
	if err != nil {
		return err
	}
	*h = Histogram{hdr, w.Sum, w.Max, w.Clamped}
	return nil
}
