package admin

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"echogate/poller"
	"echogate/poller/websocket"
)

// facts are what one scrape reads.
type facts struct {
	poller.Stats
	health   []poller.LoopHealth
	config   poller.Config
	version  string
	ready    bool
	draining bool
}

// facts asks the loops.
func (s *Server) facts() facts {
	return facts{
		Stats: s.gateway.Stats(), health: s.gateway.Health(), config: s.gateway.Config(), version: s.version,
		ready: len(s.unready()) == 0, draining: s.draining(),
	}
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

// families is the table, a metric a line.
var families = []family{
	{"connections", gauge, []string{"route", "state"}, "Connections by route, empty before the upgrade, and state: handshake, open, paused (not read because of its backlog) or closing.",
		func(f *facts, add adder) {
			for _, r := range f.Routes {
				for state, n := range r.Connections {
					// Before the upgrade there is no other state than handshake
					// and closing, after it there is no handshake.
					if s := poller.State(state); r.Route != "" && s != poller.StateHandshake || r.Route == "" && (s == poller.StateHandshake || s == poller.StateClosing) {
						add(float64(n), r.Route, s.String())
					}
				}
			}
		}},
	{"connections_per_loop", gauge, []string{"loop"}, "Open connections of each event loop.",
		func(f *facts, add adder) {
			for i, n := range f.PerLoop {
				add(float64(n), strconv.Itoa(i))
			}
		}},
	{"connections_limit", gauge, nil, "Connections that are let in; above, they are refused.",
		func(f *facts, add adder) { add(float64(f.config.MaxConnections)) }},
	{"connections_accepted_total", counter, nil, "Connections accepted.",
		func(f *facts, add adder) { add(float64(f.Accepted)) }},
	{"connections_refused_total", counter, []string{"reason"}, "Connections refused before their request was read, and failures of accept.",
		func(f *facts, add adder) {
			for reason, n := range f.Refused {
				add(float64(n), poller.Refused(reason).String())
			}
		}},
	{"handshakes_rejected_total", counter, []string{"reason"}, "Requests that got neither an upgrade nor a page.",
		func(f *facts, add adder) {
			for reason, n := range f.Rejected {
				add(float64(n), websocket.Reject(reason).String())
			}
		}},
	{"upgrades_total", counter, []string{"status"}, "Upgrades, and requests refused, by the status of the answer.",
		func(f *facts, add adder) {
			add(float64(f.Upgrades), "101")
			for status, n := range f.Statuses {
				add(float64(n), poller.Status(status).String())
			}
		}},
	{"forwarded_ignored_total", counter, nil, "Requests of trusted proxies whose forwarding header could not be read.",
		func(f *facts, add adder) { add(float64(f.ForwardedIgnored)) }},
	{"connections_closed_total", counter, []string{"reason"}, "Connections that ended.",
		func(f *facts, add adder) {
			for cause, n := range f.Closed {
				add(float64(n), websocket.Cause(cause).String())
			}
		}},
	{"timeouts_total", counter, []string{"kind"}, "Deadlines that passed: each ended a connection.",
		func(f *facts, add adder) {
			for kind, n := range f.Timeouts {
				add(float64(n), poller.Timeout(kind).String())
			}
		}},
	{"backlog_bytes", gauge, nil, "Output that sockets have not taken.",
		func(f *facts, add adder) { add(float64(f.Backlog)) }},
	{"buffered_bytes", gauge, nil, "Buffers in use: unfinished messages and unsent output.",
		func(f *facts, add adder) { add(float64(f.Buffered)) }},
	{"buffered_limit_bytes", gauge, nil, "Bound of that; 0: none.",
		func(f *facts, add adder) { add(float64(f.config.MaxBuffered)) }},
	{"paused_connections", gauge, nil, "Connections that are not read because of their backlog.",
		func(f *facts, add adder) { add(float64(f.Paused)) }},
	{"busy_connections", gauge, nil, "Connections with something unfinished.",
		func(f *facts, add adder) { add(float64(f.Busy)) }},
	{"reading_pauses_total", counter, nil, "Times that a backlog stopped the reading of its connection.",
		func(f *facts, add adder) { add(float64(f.Pauses)) }},
	{"sends_refused_total", counter, nil, "Sends to a connection that had gone or whose backlog was full.",
		func(f *facts, add adder) { add(float64(f.SendsRefused)) }},
	{"wheel_entries", gauge, nil, "Entries in the timing wheels.",
		func(f *facts, add adder) { add(float64(f.Entries)) }},
	{"timers", gauge, nil, "Functions of handlers that wait for their time.",
		func(f *facts, add adder) { add(float64(f.Timers)) }},
	{"loop_tick_age_seconds", gauge, []string{"loop"}, "How long ago an event loop showed life; 0 while it sleeps. Seconds: a handler blocks it.",
		func(f *facts, add adder) {
			for i, h := range f.health {
				add(h.Age.Seconds(), strconv.Itoa(i))
			}
		}},
	{"loops_away_total", counter, nil, "Times that a loop was away for longer than --loop-warn: a handler blocked it.",
		func(f *facts, add adder) { add(float64(f.LoopsAway)) }},
	{"log_suppressed_total", counter, nil, "Log lines left out, being too many of their kind.",
		func(f *facts, add adder) { add(float64(f.LogSuppressed)) }},
	{"draining", gauge, nil, "1 while the gateway drains all its connections.",
		func(f *facts, add adder) { add(oneIf(f.draining)) }},
	{"ready", gauge, nil, "1 while /readyz answers 200.",
		func(f *facts, add adder) { add(oneIf(f.ready)) }},
	{"build_info", gauge, []string{"version", "goversion"}, "1; what was built.",
		func(f *facts, add adder) { add(1, f.version, runtime.Version()) }},
}

// histograms are the metrics of that type.
var histograms = []histogram{
	{"loop_lag_seconds", "How late the ticks of the event loops came, which come every 10 ms.",
		func(f *facts) (map[float64]uint64, uint64, float64) {
			buckets, count := cumulate(poller.LagBounds[:], f.Lag[:])
			return buckets, count, float64(f.LagSum) / 1000
		}},
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
