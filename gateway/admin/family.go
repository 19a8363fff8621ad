package admin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"echogate/poller"
)

// facts are what one scrape reads.
type facts struct {
	poller.Stats
	health   []poller.LoopHealth
	config   poller.Config
	version  string
	sick     []string // what is wrong with the loops
	unready  []string // why no more clients are welcome
	draining bool
}

// facts asks the loops.
func (s *Server) facts() facts {
	f := facts{
		Stats: s.gateway.Stats(), health: s.gateway.Health(), config: s.gateway.Config(), version: s.version,
		unready: s.unready(), draining: s.draining(),
	}
	f.sick = sick(f.health)
	return f
}

// kind is the type of a family.
type kind string

const (
	counter kind = "counter"
	gauge   kind = "gauge"
)

func (k kind) value() prometheus.ValueType {
	if k == counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// adder takes one series of a family.
type adder func(v float64, labels ...string)

// family is a metric. The values of its labels come from closed lists and the
// route table: what a client sends never makes a series.
type family struct {
	name   string
	kind   kind
	labels []string
	help   string
	read   func(*facts, adder)
}

// histogram is a metric of that type.
type histogram struct {
	name, help string
	read       func(*facts) (buckets map[float64]uint64, count uint64, sum float64)
}

// allFamilies are ours and those of other packages.
func allFamilies(counters []Counter) []family {
	all := append([]family(nil), families...)
	for i := range counters {
		all = append(all, counters[i].family())
	}
	return all
}

// cumulate turns counters by upper bound, and one for what was above all of
// them, into Prometheus's buckets, each of which counts what is below it too.
func cumulate(bounds []time.Duration, counts []uint64) (buckets map[float64]uint64, count uint64) {
	buckets = make(map[float64]uint64, len(bounds))
	for i, n := range counts {
		count += n
		if i < len(bounds) {
			buckets[bounds[i].Seconds()] = count
		}
	}
	return buckets, count
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
