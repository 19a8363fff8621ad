package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// bench runs the program in a process of its own, with the arguments, and
// returns its exit code and what it wrote.
func bench(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	c, o, e := benchCommand(t, args...)
	_ = c.Run()
	return c.ProcessState.ExitCode(), o.String(), e.String()
}

func benchCommand(t *testing.T, args ...string) (c *exec.Cmd, out, errOut *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*waitAtMost)
	t.Cleanup(cancel)
	c = exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	c.Dir = t.TempDir() // nothing of the repository is needed
	out, errOut = new(bytes.Buffer), new(bytes.Buffer)
	c.Stdout, c.Stderr = out, errOut
	return c, out, errOut
}

func TestBadFlagsExit2(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"echo --no-such-flag", "--no-such-flag"},
		{"echo --size lots", "--size"},
		{"echo --size 1TB", "--size"},
		{"echo --size 1GiB", "--size"},
		{"echo -c 0", "--connections"},
		{"echo -c many", "--connections"},
		{"echo -c 1.5", "--connections"},
		{"echo -c 100000000", "--connections"},
		{"echo -d 10", "--duration"},
		{"echo -d 0s", "--duration"},
		{"echo -d -1s", "--duration"},
		{"echo -n -5", "--messages"},
		{"echo --pipeline 0", "--pipeline"},
		{"echo --in-flight 0", "--in-flight"},
		{"echo --timeout 0s", "--timeout"},
		{"echo --procs 200", "--procs"},
		{"echo --every 1ms", "--every"},
		{"echo --ramp fast", "--ramp"},
		{"echo --source here", "--source"},
		{"echo --source 127.0.0.9-127.0.0.2", "--source"},
		{"echo --source ::1", "--source"},
		{"echo --fail p99<soon", "--fail"},
		{"echo --pid 4194304", "--pid"},
		{"echo --pid 1 --exec true", "--exec"},
		{"echo --json no/such/dir/x", "--json"},
		{"echo --html /", "--html"},
		{"echo --html -", "--html"},
		{"echo --payload no/such/file", "--payload"},
		{"echo --payload /proc/self/exe --text", "--payload"},
		{"echo --payload /dev/null --size 5", "--size"},
		{"echo -H Connection:close", "--header"},
		{"echo --cert no/such/file --key x", "--cert"},
		{"echo --key x", "--key"},
		{"echo --cert /dev/null --key /dev/null", "--cert"},
		{"echo --subprotocol a;b", "--subprotocol"},
		{"echo --metrics http://127.0.0.1/metrics", "--metrics"},
		{"echo ws://127.0.0.1:{port}/", "--exec"},
		{"echo --exec x{port} ws://127.0.0.1:9/", "--exec"},
		{"echo --source 127.0.0.1 ws+unix:/run/e.sock:/", "--source"},
		{"compare --peer a=./x --plot -", "--plot"},
		{"echo --read-rate 1KiB", "--read-rate"},
		{"rate", "--rate"},
		{"rate --rate 0", "--rate"},
		{"slow --control 0", "--control"},
		{"mixed --active 0", "--active"},
		{"compare --rounds 0", "--rounds"},
		{"compare --peer ./x", "--peer"},
		{"compare --peer a=./x --peer a=./y", "--peer"},
		{"compare --peer a=./x --only b", "--only"},
		{"compare --peer a=./x --base b", "--base"},
		{"compare --client-cpus first --peer a=./x", "--client-cpus"},
		{"compare", "--peer"},
		{"echo https://127.0.0.1/", "https://127.0.0.1/"},
		{"echo 127.0.0.1:80", "127.0.0.1:80"},
		{"echo ws://127.0.0.1:99999/", "99999"},
		{"fly", "fly"},
		{"", "expected one of"},
	} {
		code, out, errOut := bench(t, strings.Fields(x.args)...)
		if code != exitUsage || !strings.Contains(errOut, x.want) || out != "" {
			t.Errorf("%q: got exit code %d, %q and %q, want %d and %q in the second", x.args, code, out, errOut, exitUsage, x.want)
		}
	}
}

func TestHelp(t *testing.T) {
	if code, out, errOut := bench(t, "--version"); code != exitOK || !strings.HasPrefix(out, "bench ") || errOut != "" {
		t.Errorf("--version: got exit code %d, %q and %q", code, out, errOut)
	}
	for _, args := range [][]string{{"--help"}, {"echo", "--help"}, {"compare", "--help"}} {
		code, out, errOut := bench(t, args...)
		if code != exitOK || !strings.Contains(out, "Exit codes") || errOut != "" {
			t.Errorf("%v: got exit code %d, %q and %q, want the help", args, code, out, errOut)
		}
	}
}

// result runs the program with --json - and reads what it measured.
func result(t *testing.T, args ...string) *Result {
	t.Helper()
	code, out, errOut := bench(t, append(args, "--json", "-")...)
	r, err := ReadResult(strings.NewReader(out))
	if code != exitOK || err != nil {
		t.Fatalf("%v: got exit code %d, %v and %q", args, code, err, errOut)
	}
	return r
}

// Three worker processes do exactly what one would: no message, latency or
// connection is lost between them.
func TestWorkersMergeExactly(t *testing.T) {
	s := startServer(t, echo)
	r := result(t, "echo", "-c", "10", "-n", "1000", "-d", "2m", "--timeout", "1m", "--pipeline", "3", "--procs", "3", s.url())
	if r.Count != 1000 || r.Latency.Count != 1000 || r.Bytes != 64_000 || r.Upgrades != 10 || r.Processes != 3 || r.Errors != 0 {
		t.Errorf("got %d messages, %d latencies, %d bytes, %d upgrades, %d processes, %d errors, want 1000, 1000, 64000, 10, 3, none",
			r.Count, r.Latency.Count, r.Bytes, r.Upgrades, r.Processes, r.Errors)
	}
	if got := s.frames.Load(); got != 1000 {
		t.Errorf("the server got %d messages, want 1000", got)
	}
	last := r.Percentiles[len(r.Percentiles)-1]
	if last.Count != 1000 || last.Percentile != 100 || last.Latency > r.Latency.Max {
		t.Errorf("got %v as last point of the distribution, want all 1000 at most at %v", last, r.Latency.Max)
	}
}

// The connections of a run are numbered through: each server and each source
// gets its part, whatever worker has them.
func TestSharesAddUp(t *testing.T) {
	whole := load{Connections: 100, InFlight: 7, Active: 5, Messages: 1001, Rate: 1000, Ramp: 10, Probes: 3, Churn: 1}
	for of := 1; of <= 7; of++ {
		var sum load
		for i := range of {
			s := whole.share(i, of)
			sum.Connections += s.Connections
			sum.Active += s.Active
			sum.Messages += s.Messages
			sum.Rate += s.Rate
		}
		if sum.Connections != 100 || sum.Active != 5 || sum.Messages != 1001 || sum.Rate < 999.999 || sum.Rate > 1000.001 {
			t.Errorf("%d shares add up to %+v", of, sum)
		}
	}
}

func TestSeveralServers(t *testing.T) {
	a, b := startServer(t, echo), startServer(t, echo)
	r := result(t, "echo", "-c", "10", "-n", "100", "--procs", "2", a.url(), b.url())
	if r.Count != 100 || a.frames.Load() != 50 || b.frames.Load() != 50 {
		t.Errorf("got %d messages, %d and %d at the servers, want 100, 50, 50", r.Count, a.frames.Load(), b.frames.Load())
	}
}

func TestConditionsDecideTheExitCode(t *testing.T) {
	s := startServer(t, echo)
	for _, x := range []struct {
		conditions string
		code       int
		want       string
	}{
		{"errors==0,count==100", exitOK, ""},
		{"errors==0,count>100", exitFailed, "count>100: count is 100"},
	} {
		code, out, errOut := bench(t, "echo", "-c", "2", "-n", "100", "--fail", x.conditions, s.url())
		if code != x.code || !strings.Contains(errOut, x.want) || !strings.Contains(out, "messages") {
			t.Errorf("%s: got exit code %d, %q and %q, want %d and %q", x.conditions, code, out, errOut, x.code, x.want)
		}
	}
}

func TestNothingMeasuredExits1(t *testing.T) {
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := bench(t, "echo", "-d", "1s", "ws://127.0.0.1:"+port+"/")
	if code != exitFailed || !strings.Contains(errOut, "nothing was measured") || !strings.Contains(out, "refused") {
		t.Errorf("got exit code %d, %q and %q", code, out, errOut)
	}
}

// Idle connections have been measured when they were held, without any probe.
func TestIdleWithoutProbes(t *testing.T) {
	s := startServer(t, echo)
	r := result(t, "idle", "-c", "3", "-d", "100ms", "--probes", "0", s.url())
	if r.Upgrades != 3 || r.Count != 0 || r.Lost != 0 || s.frames.Load() != 3 {
		t.Errorf("got %d upgrades, %d echoes, %d lost, want 3, none, none", r.Upgrades, r.Count, r.Lost)
	}
}

// Ctrl-C goes to all processes of a group, but not to the workers: they report
// to their parent what they have, and it prints that.
func TestInterruptPrintsWhatWasMeasured(t *testing.T) {
	for _, procs := range []string{"1", "0"} {
		enough := make(chan struct{})
		s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
			if n == 200 {
				close(enough)
			}
			return echo(c, n, f)
		})
		c, out, errOut := benchCommand(t, "echo", "-c", "2", "-d", "10m", "--procs", procs, s.url())
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-enough:
		case <-time.After(waitAtMost):
			t.Error("no load came")
		}
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGINT) // as a terminal does
		_ = c.Wait()
		if c.ProcessState.ExitCode() != exitOK || !strings.Contains(out.String(), "messages") || strings.Contains(out.String(), "messages      0") {
			t.Errorf("--procs %s: got %v, %q and %q, want what was measured", procs, c.ProcessState, out, errOut)
		}
	}
}

// What was open is counted when a run is stopped while it still opens
// connections, whatever worker has them, and the server's memory is told.
func TestStoppedInSetup(t *testing.T) {
	t.Setenv(asProgram, "1")
	hang := make(chan struct{})
	defer close(hang)
	for _, procs := range []int{0, 2} { // with 2 each has a server: one is done, one is not
		good, bad := startServer(t, echo), startServer(t, echo, func(s *testServer) {
			var n atomic.Int64
			s.upgrade = func(c net.Conn) error {
				if n.Add(1) > 1 {
					<-hang
				}
				_, err := ws.Upgrade(c)
				return err
			}
		})
		const want = 3 // both of the good one, and of the other the first
		ctx, cancel := context.WithTimeout(context.Background(), waitAtMost)
		defer cancel()
		d := small(modeIdle, func(d *load) {})
		var err error
		if d.Servers, err = lookUpAll(ctx, []string{good.url(), bad.url()}, nil); err != nil {
			t.Fatal(err)
		}
		m := measurement{load: d, procs: procs, interval: 50 * time.Millisecond, server: []*Process{openProcess(t, os.Getpid(), "")}}
		m.show = func(l Live) {
			if l.Connections == want && m.at[phaseReady] == max(procs, 1)-1 {
				cancel()
			}
		}
		r, err := m.run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.open != want || r.Upgrades != int64(want) || r.Server == nil || r.Server.End.RSS == 0 {
			t.Errorf("%d processes: got %d open, %d upgrades, the server's figures %s, want %d and its memory", procs, m.open, r.Upgrades, jsonOf(t, r.Server), want)
		}
	}
}

// A worker that dies ends the run, and says so.
func TestWorkerThatDies(t *testing.T) {
	t.Setenv(asProgram, "1")
	s := startServer(t, echo)
	d := small(modeEcho, func(d *load) {})
	var err error
	if d.Servers, err = lookUpAll(context.Background(), []string{s.url()}, nil); err != nil {
		t.Fatal(err)
	}
	m := measurement{load: d, procs: 2, interval: 50 * time.Millisecond}
	m.show = func(l Live) {
		if l.Count > 0 {
			_ = syscall.Kill(m.lanes[1].pid, syscall.SIGKILL)
		}
	}
	if r, err := m.run(context.Background()); err == nil || !strings.Contains(err.Error(), "worker process 1 ended early: signal: killed") {
		t.Errorf("got %v and %v, want the error", r, err)
	}
}

// The compiled program needs nothing of the repository.
func TestBinaryRunsAnywhere(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bench"), ".")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s := startServer(t, echo)
	c := exec.Command("./bench", "echo", "-c", "4", "-n", "100", "--procs", "2", "--json", "r.json", "--html", "r.html", s.url())
	c.Dir, c.Env = dir, []string{"HOME=" + dir}
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var r Result
	b, err := os.ReadFile(filepath.Join(dir, "r.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil || r.Count != 100 {
		t.Errorf("got %d messages and %v, want 100", r.Count, err)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "r.html")); err != nil || !bytes.Contains(page, []byte("</html>")) {
		t.Errorf("got no page: %v", err)
	}
}

// A large load over loopback gets source addresses by itself.
func TestLoopbackSources(t *testing.T) {
	servers := func(addrs ...string) (list []server) {
		for _, a := range addrs {
			list = append(list, server{Address: netip.MustParseAddrPort(a)})
		}
		return list
	}
	for _, x := range []struct {
		connections int
		servers     []server
		want        int
	}{
		{9_999, servers("127.0.0.1:1"), 0},
		{19_000, servers("127.0.0.1:1"), 2},
		{19_000, servers("127.0.0.1:1", "127.0.0.1:2"), 0},
		{1_000_000, servers("127.0.0.1:1"), 101},
		{1_000_000, servers("10.0.0.1:1"), 0},
		{1_000_000, servers("[::1]:1"), 0},
	} {
		got := loopbackSources(x.connections, x.servers)
		if len(got) != x.want {
			t.Errorf("%d connections to %d servers: got %d sources, want %d", x.connections, len(x.servers), len(got), x.want)
		}
		for i, a := range got {
			if want := "127.0.0." + strconv.Itoa(i+1); a.String() != want {
				t.Errorf("got %v, want %s", a, want)
			}
		}
	}
}
