package poller

import (
	"testing"
	"time"

	"echogate/poller/websocket"
)

// hostile is a row of limits.md, and clients that break it in a server of its
// own process: what they must get, what it is counted under, that nothing is
// left of them, and how much memory they may cost meanwhile.
type hostile struct {
	row     string
	clients int
	changes settings
	play    func(*process, int)
	counter func(*Stats) uint64 // nil: the row has none
	counted uint64
	figure  int // bytes that the row promises, for all clients together
}

// noise is what the memory of a server moves by when nothing is promised but
// that a client costs none.
const noise = 1 << 20

// ceiling is how many times the promised figure a test lets pass: it runs beside
// others, and counts what the collector has not come to.
const ceiling = 10

func closed(c websocket.Cause) func(*Stats) uint64 {
	return func(s *Stats) uint64 { return s.Closed[c] }
}

func rejected(r websocket.Reject) func(*Stats) uint64 {
	return func(s *Stats) uint64 { return s.Rejected[r] }
}

func refusedFor(r Refused) func(*Stats) uint64 {
	return func(s *Stats) uint64 { return s.Refused[r] }
}

const ms = time.Millisecond

// hostiles are the rows that clients can break.
var hostiles = []hostile{
	{"A1", 500, settings{"HandshakeTimeout": 2 * time.Second}, playDrip, closed(websocket.CauseHandshakeTimeout), 500, 500 << 10},
	{"A2", 1, nil, playEndlessHead, rejected(websocket.RejectTooLarge), 1, 1 << 20},
	{"A3", 100, nil, playRefused("A3"), rejected(websocket.RejectBadRequest), 100, noise},
	{"A4", 100, nil, playRefused("A4"), rejected(websocket.RejectBody), 100, noise},
	{"A5", 102, nil, playRefused("A5"), rejected(websocket.RejectMethod), 17, noise},
	{"A6", 100, nil, playRefused("A6"), rejected(websocket.RejectOrigin), 100, noise},
	{"A8", 100, nil, playRefused("A8"), rejected(websocket.RejectNotHTTP), 100, noise},
	{"A9", 600, settings{"MaxHalfOpen": 200}, playHalfOpen, cutForRoom, 400, 600 << 10},
	{"B1", 1000, nil, playDeclared, closed(websocket.CauseTooBig), 2, 1000 * 420},
	{"B2", 20, settings{"Limits": settings{"MaxMessage": 64 << 10}}, playEndlessMessage, closed(websocket.CauseTooBig), 20, 20 * 128 << 10},
	{"B3", 20, settings{"Limits": settings{"MaxFragments": 10_000}}, playFragments, closed(websocket.CauseFragments), 20, noise},
	{"B4", 70, nil, playFailures("B4"), closed(websocket.CauseProtocol), 70, noise},
	{"B5", 40, nil, playFailures("B5"), closed(websocket.CauseUTF8), 40, noise},
	{"B6", 20, settings{"Limits": settings{"MaxControlRate": 200}}, playPings, closed(websocket.CauseControlFlood), 20, 2 << 20},
	{"B6", 1, settings{"Limits": settings{"MaxControlRate": -1}}, playUnreadPongs, func(s *Stats) uint64 { return min(s.Pauses, 1) }, 1, 2 << 20},
	{"B8", 20, settings{"Limits": settings{"MessageTimeout": 500 * ms}}, playSlowMessage, closed(websocket.CauseMessageTimeout), 20, noise},
	{"C1", 20, nil, playUnread, func(s *Stats) uint64 { return min(s.Pauses, 20) }, 20, 20 * (64<<10 + readBuffer + 4<<10)},
	{"C2", 20, settings{"Limits": settings{"StallTimeout": 4 * time.Second}}, playStall, closed(websocket.CauseSlowReader), 20, 20 * (64<<10 + readBuffer + 4<<10)},
	{"C4", 100, settings{"MaxBuffered": 4 << 20}, playUnfinished, func(s *Stats) uint64 { return min(s.Closed[websocket.CauseMemory], 90) }, 90, 4<<20 + noise},
	{"D1", 20, settings{"Limits": settings{"PingInterval": 100 * ms, "IdleTimeout": 500 * ms}}, playSilence, closed(websocket.CauseIdle), 20, noise},
	{"D2", 20, settings{"Limits": settings{"MaxLifetime": 200 * ms}}, playLifetime, closed(websocket.CauseLifetime), 20, noise},
	{"D3", 20, settings{"Limits": settings{"MaxLifetime": 200 * ms, "CloseTimeout": 200 * ms}}, playUnansweredClose, closed(websocket.CauseCloseTimeout), 20, noise},
	{"D4", 20, nil, playFloodOn, closed(websocket.CauseProtocol), 20, noise},
	{"D5", 100, nil, playEnds, closed(websocket.CauseEOF), 50, noise},
	{"E2", 75, settings{"MaxConnections": 50}, playCrowd, refusedFor(RefusedMaxConnections), 25, noise},
	{"E4", 20, settings{"MaxPerAddress": 10}, playOneAddress, refusedFor(RefusedPerAddress), 10, noise},
	{"E5", 100, settings{"AcceptRate": 1000, "AcceptBurst": 10}, playStorm, func(s *Stats) uint64 { return s.Upgrades - 1 }, 100, noise},
	{"F1", 1000, nil, playPanics, closed(websocket.CausePanic), 1000, 4 << 20},
	{"T4", 20, nil, playBombs, closed(websocket.CauseTooBig), 20, 2 << 20},
	{"T5", 50, nil, playBrokenStreams, closed(websocket.CauseDeflate), 50, noise},
}

// TestHostile plays every row. What a client is promised, its play looks at.
func TestHostile(t *testing.T) {
	for i := range hostiles {
		x := &hostiles[i]
		t.Run(x.row, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, x.changes)
			first := p.dial(1, "/echo")[0]
			first.echo("so that all is there that one client needs")
			first.reset()
			p.until("it is gone", func(s *Stats) bool { return s.Connections == 0 })
			before := p.tell("stats").Resident
			x.play(p, x.clients)
			if got := x.counter(new(p.tell("stats").Stats)); got > x.counted {
				t.Errorf("counted %d, want %d", got, x.counted)
			}
			p.until("counted", func(s *Stats) bool { return x.counter(s) == x.counted })
			if grown := p.peak() - before; grown > ceiling*x.figure && !raceBuild { // whose shadow is a multiple
				t.Errorf("took %d bytes, want at most %d times %d", grown, ceiling, x.figure)
			}
			leave(p.came)
			p.tell("drain")
			p.until("nothing left", func(s *Stats) bool {
				ended := uint64(0)
				for _, n := range s.Closed {
					ended += n
				}
				return isZero(*s) && ended == s.Accepted
			})
			if got := p.tell("wait"); got.Err != "" {
				t.Errorf("got %s from Run, want nil", got.Err)
			}
		})
	}
}
