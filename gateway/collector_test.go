package main

import (
	"os"
	"runtime"
	"runtime/debug"
	figures "runtime/metrics"
	"testing"
)

func TestPercentOf(t *testing.T) {
	for _, live := range []uint64{0, 1 << 20, 4 << 20, 31 << 20, 33 << 20, 1 << 30} {
		got := percentOf(live)
		garbage := max(live, 1<<20) * uint64(got) / 100
		if want := max(uint64(handshakeGarbage), live*collectAt/100); garbage < want*9/10 || garbage > want*3/2 {
			t.Errorf("%d live bytes: %d %% are %d bytes of garbage, want about %d", live, got, garbage, want)
		}
	}
}

// The collector's percentage follows what lives, from run to run, unless GOGC says
// what it is.
func TestTuneForHandshakes(t *testing.T) {
	before := debug.SetGCPercent(1000)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	tuneForHandshakes(func(string) (string, bool) { return "1000", true })
	if got := debug.SetGCPercent(1000); got != 1000 {
		t.Errorf("got %d %%, want that of GOGC", got)
	}
	tuneForHandshakes(os.LookupEnv)
	held := make([]byte, 1<<30) // never touched
	wait(t, "what it is for very much", func() bool { runtime.GC(); return percent() == collectAt })
	runtime.KeepAlive(held)
	held = nil
	wait(t, "what it is for little", func() bool { runtime.GC(); return percent() > collectAt })
}

// percent is what the collector is set to.
func percent() int {
	sample := []figures.Sample{{Name: "/gc/gogc:percent"}}
	figures.Read(sample)
	return int(sample[0].Value.Uint64())
}
