package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmarks of this file are end to end: a server as a process of its own,
// over loopback, on the last processor, and the loop of this package as its
// client on the first. A run is one measurement of a second, or of a few where so
// much is under way that a second may not be enough for it, whatever b.N is:
//
//	go test -run '^$' -bench . -count 10 ./bench > new.txt
//	benchstat -col /server new.txt
//
// srv-µs/msg is the server's user and system time for a message, the figure to
// compare; the rates are as much the client's doing as the server's.

// benchmarkTime is how long a run measures for each roundOfASecond messages that
// are under way, at least once.
const (
	benchmarkTime  = time.Second
	roundOfASecond = 40_000
)

// benchmarked are the servers: the gateway, and beside it the floor, which shows
// what the machine asks for the same bytes.
var benchmarked = []struct{ name, module, pkg, flags string }{
	{"gateway", "..", "./gateway", adminOff},
	{"floor", "peers", "./epoll", ""},
}

// BenchmarkEcho is a closed loop; an op is a message there and back, verified.
func BenchmarkEcho(b *testing.B) {
	grid := []compareCommand{
		{Connections: []int{1, 100}, Size: []Size{64, 1 << 10, 16 << 10, 128 << 10}},
		{Connections: []int{1_000, 10_000}, Size: []Size{64, 1 << 10}},
	}
	eachServer(b, func(b *testing.B, measure func(*testing.B, load) *Result) {
		for _, part := range grid {
			part.Mode, part.Pipeline = modeEcho, []int{1, 16}
			for _, d := range part.cells() {
				name := fmt.Sprintf("conns=%d/size=%d/pipeline=%d", d.Connections, d.Size, d.Pipeline)
				b.Run(name, func(b *testing.B) {
					r := measure(b, d)
					if r.Server.CPUPerMessage == 0 {
						b.Fatalf("%d echoes on %d connections are too few to tell what one costs", r.Count, d.Connections)
					}
					b.ReportMetric(1e9/r.Rate, "ns/op")
					b.ReportMetric(r.MBPerSecond, "MB/s")
					b.ReportMetric(r.Rate, "msg/s")
					b.ReportMetric(r.Server.CPUPerMessage, "srv-µs/msg")
				})
			}
		}
	})
}

// BenchmarkUpgrade is a storm; an op is a connect, the upgrade, one echo, and the
// close handshake.
func BenchmarkUpgrade(b *testing.B) {
	eachServer(b, func(b *testing.B, measure func(*testing.B, load) *Result) {
		r := measure(b, load{Mode: modeStorm, Connections: 64, Size: 64})
		b.ReportMetric(1e9/r.UpgradesPerSecond, "ns/op")
		b.ReportMetric(r.UpgradesPerSecond, "upgrades/s")
		b.ReportMetric(float64(r.Server.Delta.CPU)/1e3/float64(r.Upgrades), "srv-µs/upgrade")
	})
}

// BenchmarkIdle is what an idle connection adds to the server's resident memory:
// the slope between two counts, so that what the process needs in any case does
// not count. What the kernel holds for a socket is not the process's and not in
// it.
func BenchmarkIdle(b *testing.B) {
	const few, many = 2_000, 15_000
	eachServer(b, func(b *testing.B, measure func(*testing.B, load) *Result) {
		low := measure(b, load{Mode: modeIdle, Connections: few, Size: 64, Probes: few})
		high := measure(b, load{Mode: modeIdle, Connections: many, Size: 64, Probes: many})
		b.ReportMetric(0, "ns/op") // an op means nothing here
		b.ReportMetric(float64(high.Server.End.RSS-low.Server.End.RSS)/(many-few), "B/conn")
	})
}

// eachServer builds the servers and runs f as a sub-benchmark for each.
func eachServer(b *testing.B, f func(b *testing.B, measure func(*testing.B, load) *Result)) {
	dir := b.TempDir()
	for _, s := range benchmarked {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, s.name), s.pkg)
		build.Dir = s.module
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", build, err, out)
		}
	}
	processors := allowed(b)
	pinThreads(b, processors[:1])
	c := compareCommand{Path: "/echo", ServerCPUs: processors[len(processors)-1:]}
	for _, s := range benchmarked {
		p := &Peer{Name: s.name, Command: filepath.Join(dir, s.name) + s.flags}
		b.Run("server="+s.name, func(b *testing.B) {
			f(b, func(b *testing.B, d load) *Result { return runOnce(b, &c, p, d) })
		})
	}
}

// runOnce starts the server and measures. An error of any connection fails the
// benchmark: what was measured is then something else.
func runOnce(b *testing.B, c *compareCommand, p *Peer, d load) *Result {
	b.Helper()
	d.Timeout, d.InFlight, d.Messages = time.Minute, defaultInFlight, -1
	d.Pipeline = max(d.Pipeline, 1)
	d.Duration = benchmarkTime * time.Duration(max(d.Connections*d.Pipeline/roundOfASecond, 1))
	r, err := c.once(b.Context(), p, d)
	if err != nil {
		b.Fatal(err)
	}
	if r.Errors > 0 || r.Count == 0 {
		b.Fatalf("%s: %d echoes, errors: %s", d.name(), r.Count, r.ErrorsByKind.list())
	}
	return r
}

// allowed are the processors that this process may use.
func allowed(b *testing.B) (processors cpuSet) {
	b.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		b.Fatal(err)
	}
	for n := 0; len(processors) < set.Count(); n++ {
		if set.IsSet(n) {
			processors = append(processors, n)
		}
	}
	return processors
}

// pinThreads keeps all threads of this process, which is the client, on those
// processors until the benchmark ends. Threads to come inherit it.
func pinThreads(b *testing.B, processors cpuSet) {
	b.Helper()
	before, set := unix.CPUSet{}, unix.CPUSet{}
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		b.Fatal(err)
	}
	for _, n := range processors {
		set.Set(n)
	}
	onThreads := func(set *unix.CPUSet) {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			b.Fatal(err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			// One that has ended meanwhile needs nothing.
			if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
				b.Fatal(err)
			}
		}
	}
	onThreads(&set)
	b.Cleanup(func() { onThreads(&before) })
}
