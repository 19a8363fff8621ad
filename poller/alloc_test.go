package poller

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// TestEchoAllocatesNothing counts what the whole process allocates, so that no
// corner of the walk is left out.
func TestEchoAllocatesNothing(t *testing.T) {
	const rounds = 50
	for _, n := range []int{1, 100} {
		for _, size := range []int{0, 64, 4096} {
			t.Run(fmt.Sprintf("%d connections of %d bytes", n, size), func(t *testing.T) {
				_, addr := serving(t, quiet(t))
				peers := newPeers(t, n)
				joinPeers(t, addr, peers, n)
				frame, reply := maskedEcho(size)
				got := make([]byte, len(reply))
				echoAll(*peers, frame, got, rounds) // buffers are made once
				// The runtime has a few of its own, now and then: those of the walk
				// would be there each time.
				most, attempts := 30, 3
				if raceBuild { // a tick has one
					most = 200
				}
				made, messages := most+1, 0
				for range attempts {
					if made > most {
						before := mallocs()
						messages = echoAll(*peers, frame, got, max(rounds, 2000/n))
						made = int(mallocs() - before)
					}
				}
				if made > most {
					t.Errorf("%d allocations for %d messages", made, messages)
				}
				if !bytes.Equal(got, reply) {
					t.Errorf("echo is %x, want %x", got, reply)
				}
			})
		}
	}
}

// echoAll has every peer send a frame and then every peer read its reply, and
// returns how many frames went.
func echoAll(peers []peer, frame, reply []byte, rounds int) int {
	for range rounds {
		for _, p := range peers {
			p.write(frame)
		}
		for _, p := range peers {
			p.read(reply)
		}
	}
	return rounds * len(peers)
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// heap is what the collector has to do with: objects, and bytes that may hold
// pointers.
type heap struct{ objects, scanned int }

func heapNow() heap {
	runtime.GC()
	runtime.GC() // the first one's sweep is done
	samples := []metrics.Sample{{Name: "/gc/heap/objects:objects"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(samples)
	return heap{int(samples[0].Value.Uint64()), int(samples[1].Value.Uint64())}
}

// TestIdleConnectionsCostTheCollectorNothing: no object and nothing to scan for
// a connection, so that its cycles do not grow with them.
func TestIdleConnectionsCostTheCollectorNothing(t *testing.T) {
	const few, many = 500, 2500
	s, addr := serving(t, quiet(t))
	peers := newPeers(t, many)
	frame, reply := maskedEcho(64)
	grow := func(n int) heap {
		joinPeers(t, addr, peers, n)
		echoAll(*peers, frame, reply, 1)
		settled(t, s, n)
		return heapNow()
	}
	before := grow(few)
	after := grow(many)
	objects, scanned := after.objects-before.objects, after.scanned-before.scanned
	if objects > 200 || scanned > 16<<10 {
		t.Errorf("%d more idle connections: %d more objects, %d more bytes to scan", many-few, objects, scanned)
	}
}

// settled waits until n connections are there and nothing of them is unfinished.
func settled(t *testing.T, s *Server, n int) {
	t.Helper()
	for deadline := time.Now().Add(peerTimeout); ; {
		now := s.Stats() // each loop answers between two events
		if now.Connections == n && now.Busy == 0 && now.Buffered == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("something is unfinished: %+v", now)
		}
	}
}
