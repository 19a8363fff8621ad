package admin

import (
	"runtime"
	"strconv"

	"github.com/gobwas/ws"

	"echogate/poller"
	"echogate/poller/websocket"
)

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
	{"messages_total", counter, []string{"direction", "opcode"}, "Whole messages; one in fragments is one.",
		func(f *facts, add adder) { eachFlow(f, dataOpcodes, add, frames) }},
	{"message_bytes_total", counter, []string{"direction", "opcode"}, "Payload of the messages.",
		func(f *facts, add adder) { eachFlow(f, dataOpcodes, add, payload) }},
	{"control_frames_total", counter, []string{"direction", "opcode"}, "Pings, pongs and close frames.",
		func(f *facts, add adder) { eachFlow(f, controlOpcodes, add, frames) }},
	{"close_codes_total", counter, []string{"direction", "code"}, "Close frames by their code: each of 1000 to 1014, 3xxx, 4xxx, or none; 1006 is an end without one.",
		func(f *facts, add adder) {
			for code := range websocket.CloseCodes {
				add(float64(f.Wire.ClosesIn[code]), in, code.String())
				add(float64(f.Wire.ClosesOut[code]), out, code.String())
			}
		}},
	{"protocol_errors_total", counter, []string{"kind"}, "Connections that ended because the client broke RFC 6455.",
		func(f *facts, add adder) {
			for kind, n := range f.Wire.Violations {
				add(float64(n), websocket.Violation(kind).String())
			}
		}},
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
	{"loop_busy_ratio", gauge, []string{"loop"}, "How much of the last seconds an event loop did not wait, from 0 to 1.",
		func(f *facts, add adder) {
			for i, busy := range f.Utilization {
				add(busy, strconv.Itoa(i))
			}
		}},
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
		func(f *facts, add adder) { add(oneIf(len(f.unready) == 0)) }},
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
	{"pong_round_trip_seconds", "Time from a ping of the gateway to its pong; its clock ticks every 10 ms.",
		func(f *facts) (map[float64]uint64, uint64, float64) {
			buckets, count := cumulate(websocket.RoundTripBounds[:], f.Wire.RoundTrips[:])
			return buckets, count, f.Wire.RoundTripSum.Seconds()
		}},
}

// The labels of direction: what came, and what was sent.
const in, out = "in", "out"

var (
	dataOpcodes    = map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary"}
	controlOpcodes = map[ws.OpCode]string{ws.OpPing: "ping", ws.OpPong: "pong", ws.OpClose: "close"}
)

// eachFlow adds one counter of each opcode and direction.
func eachFlow(f *facts, opcodes map[ws.OpCode]string, add adder, counter func(websocket.Flow) uint64) {
	for op, label := range opcodes {
		add(float64(counter(f.Wire.In[op])), in, label)
		add(float64(counter(f.Wire.Out[op])), out, label)
	}
}

func frames(f websocket.Flow) uint64  { return f.Frames }
func payload(f websocket.Flow) uint64 { return f.Bytes }
