package main

import "slices"

// Flat is one figure of what the server holds: while the load was on, and when
// it was off again. A leak shows in one or the other.
type Flat struct {
	Name     string  `json:"name"`
	Before   float64 `json:"before"`    // the first client
	First    float64 `json:"first"`     // median of the first third
	Last     float64 `json:"last"`      // and of the last one
	MostLast float64 `json:"most_last"` // that Last may be
	After    float64 `json:"after"`     // the last client
	MostThen float64 `json:"most_then"` // that After may be
	Held     bool    `json:"held"`
	unit     unit
}

// flatBound is how much a figure may move.
type flatBound struct {
	name  string
	unit  unit
	value func(*SoakSample) float64
	share float64 // of the first third, that the last may be above it
	least float64 // that it may be above it in any case
	stays float64 // more after the load than before it
}

// The bounds. Memory moves with the collector's cycles: a tenth of it. What is
// left over 20 minutes that a leak would have to hide in is less than 100 bytes
// for each connection that came and went. What may stay is limits.md C5's.
// Descriptors and sockets follow the clients, which come and go by the clock:
// the medians differ by a few, and afterwards there is none too many. The
// runtime gives no thread back.
var flatBounds = []flatBound{
	{"RSS", size, func(s *SoakSample) float64 { return float64(s.RSS) }, 0.10, 8 << 20, 16 << 20},
	{"PSS", size, func(s *SoakSample) float64 { return float64(s.PSS) }, 0.10, 8 << 20, 16 << 20},
	{"Go heap", size, func(s *SoakSample) float64 { return float64(s.Heap) }, 0.10, 8 << 20, 16 << 20},
	{"goroutines", number, func(s *SoakSample) float64 { return float64(s.Goroutines) }, 0.10, 8, 2},
	{"threads", number, func(s *SoakSample) float64 { return float64(s.Threads) }, 0, 4, 16},
	{"descriptors", number, func(s *SoakSample) float64 { return float64(s.Descriptors) }, 0.05, 16, 0},
	{"sockets", number, func(s *SoakSample) float64 { return float64(s.Sockets) }, 0.05, 16, 0},
}

// flatFigures judges the samples of a run. A figure that the server does not
// tell is left out.
func flatFigures(samples []SoakSample) []Flat {
	var list []Flat
	for i := range flatBounds {
		if f, ok := flatBounds[i].judge(samples); ok {
			list = append(list, f)
		}
	}
	return list
}

func (b *flatBound) judge(samples []SoakSample) (f Flat, known bool) {
	f = Flat{Name: b.name, unit: b.unit}
	load, after := of(samples, phaseLoad), of(samples, phaseAfter)
	f.Before = b.value(&samples[0])
	if third := len(load) / 3; third > 0 {
		f.First, f.Last = b.median(load[:third]), b.median(load[len(load)-third:])
	}
	if len(after) > 0 {
		f.After = b.value(&after[0])
	}
	f.MostLast = f.First + max(b.share*f.First, b.least)
	f.MostThen = f.Before + b.stays
	// A figure that was lost on the way is 0, which would pass for little.
	measured := f.Before > 0 && f.First > 0 && f.Last > 0 && f.After > 0
	f.Held = measured && f.Last <= f.MostLast && f.After <= f.MostThen
	return f, f.Before > 0
}

func (b *flatBound) median(samples []SoakSample) float64 {
	values := make([]float64, len(samples))
	for i := range samples {
		values[i] = b.value(&samples[i])
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// returned reports whether the server holds no more than may stay.
func returned(samples []SoakSample) bool {
	for i := range flatBounds {
		if f, ok := flatBounds[i].judge(samples); ok && f.After > f.MostThen {
			return false
		}
	}
	return true
}
