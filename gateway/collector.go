package main

import (
	"runtime"
	"runtime/debug"
	figures "runtime/metrics"
)

const (
	// collectAt is the garbage, in percent of what lives on the heap, after which
	// the collector runs (GOGC). The heap is mostly the table of connections, which
	// it never looks into, so a run costs little, and garbage left lying would cost
	// as many bytes again for each of a million connections.
	collectAt = 25
	// handshakeGarbage is what may lie about however little lives, in bytes, where
	// there is TLS: a handshake leaves some 50 KB, and a run for every twenty of
	// them took a tenth of their time (bench/results has the record).
	handshakeGarbage = 8 << 20
)

// tuneCollector sets when the collector runs, unless GOGC says that.
func tuneCollector(env func(string) (string, bool)) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(collectAt)
	}
	runtime.GC() // what a first run needs is taken now
}

// tuneForHandshakes lets handshakeGarbage lie about, unless GOGC says when the
// collector runs. It looks again after each run, for as long as the process lives.
func tuneForHandshakes(env func(string) (string, bool)) {
	if _, set := env("GOGC"); set {
		return
	}
	var after func(at int)
	after = func(at int) {
		if now := percentOf(live()); now != at {
			debug.SetGCPercent(now)
			at = now
		}
		runtime.AddCleanup(new(*int), after, at) // of what the next run finds dead
	}
	after(collectAt)
}

// percentOf is the percentage that lets handshakeGarbage lie about beside so many
// live bytes. It goes in steps of a quarter, because a new one stops the world.
func percentOf(live uint64) int {
	least := 100 * handshakeGarbage / max(live, 1<<20)
	percent := collectAt
	for uint64(percent) < least {
		percent += percent/4 + 1
	}
	return percent
}

// live is how many bytes the last run of the collector has found alive.
func live() uint64 {
	sample := []figures.Sample{{Name: "/gc/heap/live:bytes"}}
	figures.Read(sample)
	return sample[0].Value.Uint64()
}
