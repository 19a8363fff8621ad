package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// resultVersion is raised when a key of the JSON schema changes its meaning or
// goes away. New keys do not raise it: readers ignore what they do not know.
const resultVersion = 1

// Result is what one run measured, and the schema of --json: durations are in
// seconds, latencies in microseconds, sizes in bytes, and the keys say so.
//
// The mode fills in what it was asked for (Mode to TargetRate), Client, Server,
// System and Notes; Collector.Finish computes the rest from the intervals that
// the load loops handed over.
type Result struct {
	Version int     `json:"version"`
	Rate    float64 `json:"rate"` // messages per second over Duration

	Mode        string    `json:"mode"`
	URL         string    `json:"url"`
	Started     time.Time `json:"started"`
	Duration    Seconds   `json:"duration_s"`
	Processes   int       `json:"processes"` // of the client
	Connections int       `json:"connections"`
	Size        int       `json:"size_bytes"` // of one payload
	Pipeline    int       `json:"pipeline"`   // messages under way on one connection
	TargetRate  float64   `json:"target_rate,omitempty"`

	Count       int64   `json:"count"` // verified echoes
	Bytes       int64   `json:"bytes"` // their payloads, one direction
	MBPerSecond float64 `json:"mb_per_s"`

	Latency     Latency `json:"latency_us"`
	Percentiles []Point `json:"percentiles"`

	Sent int64 `json:"sent"` // in an open loop
	Late int64 `json:"late"` // of those: not sent when they were due

	Errors       int64  `json:"errors"`
	ErrorsByKind Counts `json:"errors_by_kind"`

	Lost   int64  `json:"lost"` // connections that ended without being asked to
	Losses []Loss `json:"losses"`

	Upgrades          int64   `json:"upgrades"`
	UpgradesPerSecond float64 `json:"upgrades_per_s"`

	// Bottleneck says why the figures are the client's and not the server's. It
	// is empty when they are the server's.
	Bottleneck string `json:"bottleneck,omitempty"`

	Client *Usage       `json:"client,omitempty"`
	Server *Usage       `json:"server,omitempty"`
	System *SystemUsage `json:"system,omitempty"`

	Series []Moment `json:"series"`
	Notes  []string `json:"notes,omitempty"`

	latencies *Histogram // what Latency and Percentiles are of; nil: the Result was read
}

// Latency sums up a Histogram.
type Latency struct {
	Count int64  `json:"count"`
	Mean  Micros `json:"mean"`
	P50   Micros `json:"p50"`
	P90   Micros `json:"p90"`
	P99   Micros `json:"p99"`
	P999  Micros `json:"p99.9"`
	Max   Micros `json:"max"`
}

// Point is one point of the distribution: Count messages, Percentile percent of
// all, took at most Latency.
type Point struct {
	Percentile float64 `json:"percentile"`
	Latency    Micros  `json:"latency_us"`
	Count      int64   `json:"count"`
}

// Loss is a connection that ended without being asked to.
type Loss struct {
	At         Seconds `json:"at_s"` // since Started
	Worker     int     `json:"worker"`
	Connection int     `json:"connection"`
	Kind       Kind    `json:"kind"`
}

// maxLosses bounds the list of losses: a server that dies loses them all at
// once, and the first thousand tell when.
const maxLosses = 1000

// Moment is one interval of the run.
type Moment struct {
	At          Seconds `json:"at_s"` // its end, since Started
	Length      Seconds `json:"length_s"`
	Rate        float64 `json:"rate"`
	P50         Micros  `json:"p50_us"`
	P99         Micros  `json:"p99_us"`
	Connections int     `json:"connections"` // at its end
	Errors      int64   `json:"errors"`
	Upgrades    int64   `json:"upgrades"`
	ServerRSS   int64   `json:"server_rss_bytes,omitempty"`
}

// Seconds is a duration that is written in seconds.
type Seconds time.Duration

// MarshalJSON writes nanoseconds as seconds without rounding them.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Seconds())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	return unmarshalUnit(b, time.Second, (*time.Duration)(s))
}

// Micros is a duration that is written in microseconds.
type Micros time.Duration

// MarshalJSON writes nanoseconds as microseconds without rounding them.
func (m Micros) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(m) / float64(time.Microsecond))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Micros) UnmarshalJSON(b []byte) error {
	return unmarshalUnit(b, time.Microsecond, (*time.Duration)(m))
}

func unmarshalUnit(b []byte, unit time.Duration, d *time.Duration) error {
	var v float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*d = roundDuration(v * float64(unit))
	return nil
}

// roundDuration is the duration of ns nanoseconds; truncating would turn what
// was written as 0.3 into one nanosecond less.
func roundDuration(ns float64) time.Duration {
	if ns < 0 {
		return time.Duration(ns - 0.5)
	}
	return time.Duration(ns + 0.5)
}

// WriteJSON writes r, indented for people, with a newline at its end.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadResult reads what WriteJSON wrote.
func ReadResult(rd io.Reader) (*Result, error) {
	r := new(Result)
	if err := json.NewDecoder(rd).Decode(r); err != nil {
		return nil, fmt.Errorf("bench: reading a result: %w", err)
	}
	if r.Version != resultVersion {
		return nil, fmt.Errorf("bench: a result of version %d: accepted is %d", r.Version, resultVersion)
	}
	return r, nil
}
