package main

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// stalls answers as echo does, but message number at only after a second; what
// comes meanwhile, on any connection, waits too.
func stalls(at int64) answer {
	over := make(chan struct{})
	return func(c net.Conn, n int64, f ws.Frame) error {
		switch {
		case n == at:
			<-time.After(time.Second) // the fault that is measured
			close(over)
		case n > at:
			<-over
		}
		return echo(c, n, f)
	}
}

// A server that stops for a second makes an open loop's messages wait from when
// they were due, and shows in its tail. A closed loop does not send them, and
// its tail looks fine: that is coordinated omission.
func TestStallShowsInOpenLoop(t *testing.T) {
	const slow = Micros(900 * time.Millisecond)
	t.Run("open", func(t *testing.T) {
		s := startServer(t, stalls(300))
		d := small(modeRate, func(d *load) { d.Rate = 500; d.Duration = 4 * time.Second; d.Timeout = waitAtMost })
		r := measureServers(t, d, s.url())
		if r.Sent != 2000 || r.Count != r.Sent || r.Latency.Count != r.Sent || r.Errors != 0 {
			t.Errorf("got %d sent, %d back, %d latencies, %d errors, want 2000 of each and none", r.Sent, r.Count, r.Latency.Count, r.Errors)
		}
		if r.Latency.P999 < slow {
			t.Errorf("got p99.9 %v, want the second that the server stood still", time.Duration(r.Latency.P999))
		}
		// Half of the messages due in that second waited for half of it or more.
		if r.Latency.P90 < slow/3 {
			t.Errorf("got p90 %v: those that were due during the stall are not charged", time.Duration(r.Latency.P90))
		}
	})
	// The end of the run must not hide what was still to come.
	t.Run("open, over the end", func(t *testing.T) {
		s := startServer(t, stalls(50))
		d := small(modeRate, func(d *load) { d.Rate = 200; d.Duration = 500 * time.Millisecond })
		r := measureServers(t, d, s.url())
		if r.Sent != 100 || r.Count != 100 || r.Latency.P90 < slow/3 {
			t.Errorf("got %d sent, %d back, p90 %v, want 100, 100, and the wait", r.Sent, r.Count, time.Duration(r.Latency.P90))
		}
	})
	t.Run("closed", func(t *testing.T) {
		s := startServer(t, stalls(300))
		d := small(modeEcho, func(d *load) { d.Connections = 1; d.Messages = 5000 })
		r := measureServers(t, d, s.url())
		if r.Latency.P999 > slow/2 || r.Latency.Max < slow {
			t.Errorf("got p99.9 %v, max %v: want the one message that stalled in the maximum alone",
				time.Duration(r.Latency.P999), time.Duration(r.Latency.Max))
		}
	})
}

// What an open loop has sent and never got back are errors, not silence.
func TestOpenLoopWaitsForWhatItSent(t *testing.T) {
	s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
		if n >= 40 {
			return nil
		}
		return echo(c, n, f)
	})
	d := small(modeRate, func(d *load) { d.Rate = 200; d.Duration = 500 * time.Millisecond; d.Timeout = time.Second })
	r := measureServers(t, d, s.url())
	if r.Count != 40 || r.Sent != 100 {
		t.Errorf("got %d of %d sent, want 40 of 100", r.Count, r.Sent)
	}
	wantErrors(t, r, KindTimeout, 4)
}

// What is due at the end but was not sent in time is sent all the same.
func TestOpenLoopSendsWhatIsOverdue(t *testing.T) {
	d := small(modeRate, func(d *load) { d.Rate = 1e6; d.Duration = time.Millisecond })
	r := measureServers(t, d, startServer(t, echo).url())
	if r.Sent != 1000 || r.Count != 1000 {
		t.Errorf("got %d sent and %d back, want all 1000", r.Sent, r.Count)
	}
}

// The run goes on for what is overdue at its end, but not for long.
func TestTimeIsOver(t *testing.T) {
	const whole = int64(time.Second)
	for _, x := range []struct {
		now  int64
		sent int64 // of the 10 messages that are due in the time
		want bool
	}{
		{whole - 1, 10, false},
		{whole, 10, true},
		{whole, 9, false},
		{whole + int64(graceTime) - 1, 0, false},
		{whole + int64(graceTime), 9, true},
	} {
		d := small(modeRate, func(d *load) { d.Connections = 1; d.Rate = 10; d.Duration = time.Second })
		s := d.share(0, 1)
		s.Started, s.Interval = time.Now(), time.Hour
		l, err := newLoop(s, nil, make(chan report, reportsHeld))
		if err != nil {
			t.Fatal(err)
		}
		b := l.groups[0].behaviour.(*pacedLoop)
		b.stop, b.next = whole, x.sent
		if l.now = x.now; l.timeOver() != x.want {
			t.Errorf("%s after the begin, %d of 10 sent: got time over %v, want %v", time.Duration(x.now), x.sent, !x.want, x.want)
		}
		l.close()
	}
}

// A rate that no client can send: the report says whose the figures are.
func TestClientThatIsTooSlowSaysSo(t *testing.T) {
	over := make(chan struct{})
	s := startServer(t, echo, func(s *testServer) {
		s.opened = func(net.Conn) error { <-over; return nil } // costs nothing
	})
	defer close(over)
	d := small(modeRate, func(d *load) { d.Rate = 1e9; d.Duration = 20 * time.Millisecond; d.Timeout = time.Second })
	r := measureServers(t, d, s.url())
	if r.Late == 0 || r.Sent == 0 || r.Sent >= 20e6 || !strings.Contains(r.Bottleneck, "late") {
		t.Errorf("got %d late of %d sent, bottleneck %q, want some late of some, and a word about it", r.Late, r.Sent, r.Bottleneck)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "messages were never sent") {
		t.Errorf("got notes %q", notes)
	}
}

func TestIdleReportsWhoIsLostAndWhen(t *testing.T) {
	var opened atomic.Int64
	s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
		if n >= 20 { // all have proved that they are served: this is a probe
			return errors.New("one less")
		}
		return echo(c, n, f)
	}, func(s *testServer) {
		s.opened = func(net.Conn) error { opened.Add(1); return nil }
	})
	d := small(modeIdle, func(d *load) { d.Connections = 20; d.Probes = 100 })
	r := measureServers(t, d, s.url())
	wantErrors(t, r, KindEOF, 20)
	if r.Lost != 20 || opened.Load() != 20 {
		t.Errorf("got %d of %d lost, want all of 20", r.Lost, opened.Load())
	}
	seen := make(map[int]bool)
	for i, l := range r.Losses {
		seen[l.Connection] = true
		if l.At <= 0 || i > 0 && l.At < r.Losses[i-1].At {
			t.Errorf("got %v after %v: want when it was lost", l, r.Losses[:i])
		}
	}
	if len(seen) != 20 {
		t.Errorf("got %d different connections, want 20", len(seen))
	}
}

func TestStorm(t *testing.T) {
	var goodbyes atomic.Int64
	s := startServer(t, echo, func(s *testServer) { s.closed = func() { goodbyes.Add(1) } })
	d := small(modeStorm, func(d *load) { d.Duration = 500 * time.Millisecond })
	r := measureServers(t, d, s.url())
	if r.Count < 4 || r.Latency.Count != r.Count || r.Errors != 0 || r.Lost != 0 {
		t.Errorf("got %d echoes, %d latencies, %d errors, %d lost, want as many of the first two and none of the others",
			r.Count, r.Latency.Count, r.Errors, r.Lost)
	}
	// Those that are under way when the time is over are finished, not counted.
	if more := r.Upgrades - r.Count; more < 0 || more > 4 {
		t.Errorf("got %d upgrades for %d echoes, want at most 4 more", r.Upgrades, r.Count)
	}
	if got := goodbyes.Load(); got != r.Upgrades {
		t.Errorf("the server saw %d close frames, want %d", got, r.Upgrades)
	}
}

func TestReconnect(t *testing.T) {
	s := startServer(t, echo)
	d := small(modeStorm, func(d *load) { d.Reconnect = true; d.Connections = 50; d.Duration = 500 * time.Millisecond })
	r := measureServers(t, d, s.url())
	if r.Count != 50 || r.Upgrades != 100 || r.Errors != 0 || r.Latency.P50 == 0 {
		t.Errorf("got %d back, %d upgrades, %d errors, want 50, 100, none; notes: %q", r.Count, r.Upgrades, r.Errors, r.Notes)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "round 1: all 50 connections were back after") {
		t.Errorf("got notes %q", notes)
	}
}

// Slow readers get what they ask for and no more, and their latency is not that
// of the control group.
func TestSlowReaders(t *testing.T) {
	s := startServer(t, echo)
	d := small(modeSlow, func(d *load) {
		d.Size, d.ReadRate, d.Active, d.Duration = 1000, 10_000, 2, time.Second
	})
	r := measureServers(t, d, s.url())
	slow := r.Count - r.Latency.Count
	if r.Latency.Count == 0 || r.Errors != 0 || r.Lost != 0 {
		t.Errorf("got %d latencies, %d errors, want some and none", r.Latency.Count, r.Errors)
	}
	if slow == 0 || slow > 4*11 {
		t.Errorf("the slow readers took %d messages of 1000 bytes, want at most 10 for each in its second", slow)
	}
}

// A server may cut who does not read: that is seen by clients that never do.
func TestSlowReadersThatAreCut(t *testing.T) {
	s := startServer(t, func(c net.Conn, _ int64, _ ws.Frame) error {
		_ = c.(*net.TCPConn).SetLinger(0)
		return io.EOF
	})
	d := small(modeSlow, func(d *load) { d.ReadRate = 0; d.Active = 1 })
	r := measureServers(t, d, s.url())
	wantErrors(t, r, KindReset, 5)
	if r.Lost != 5 {
		t.Errorf("got %d lost, want all 5", r.Lost)
	}
}

func TestMixed(t *testing.T) {
	s := startServer(t, echo)
	d := small(modeMixed, func(d *load) {
		d.Connections, d.Active, d.Churn, d.Probes, d.Duration = 10, 3, 50, 20, time.Second
	})
	r := measureServers(t, d, s.url())
	if churned := r.Upgrades - 13; churned < 1 || churned > 60 {
		t.Errorf("got %d connections that came and went, want about 50", churned)
	}
	if r.Latency.Count == 0 || r.Latency.Count >= r.Count || r.Errors != 0 || r.Lost != 0 {
		t.Errorf("got %d latencies of %d messages, %d errors, want those of the active group and none", r.Latency.Count, r.Count, r.Errors)
	}
}

// Connections come from all the addresses that were given, in equal parts.
func TestSources(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]int)
	s := startServer(t, echo, func(s *testServer) {
		s.opened = func(c net.Conn) error {
			mu.Lock()
			defer mu.Unlock()
			seen[c.RemoteAddr().(*net.TCPAddr).IP.String()]++
			return nil
		}
	})
	d := small(modeEcho, func(d *load) { d.Connections = 9; d.Messages = 9 })
	var sources Sources
	if err := sources.UnmarshalText([]byte("127.0.0.7-127.0.0.9")); err != nil {
		t.Fatal(err)
	}
	d.Sources = sources
	if r := measureServers(t, d, s.url()); r.Count != 9 {
		t.Errorf("got %d messages, want 9", r.Count)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, a := range sources {
		if seen[a.String()] != 3 {
			t.Errorf("got connections from %v, want 3 from each of %v", seen, sources)
		}
	}
}

// A connection that never comes about is an error of its own kind.
func TestConnectionsThatFail(t *testing.T) {
	refused := func(t *testing.T) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().String()
	}
	// talks accepts and says something that is no upgrade.
	talks := func(text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			s := startRaw(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 1<<10))
				_, _ = c.Write([]byte(text))
			})
			return s.Addr().String()
		}
	}
	for _, x := range []struct {
		name   string
		listen func(t *testing.T) string
		kind   Kind
		note   string
	}{
		{"refused", refused, KindConnect, "refused"},
		{"404", talks("HTTP/1.1 404 Not Found\r\n\r\n"), KindUpgrade, "404 Not Found"},
		{"end of stream", talks("HTTP/1.1 101"), KindUpgrade, "ended before"},
		{"endless head", talks("HTTP/1.1 101 x\r\n" + strings.Repeat("a: b\r\n", 5000)), KindUpgrade, "16384"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := measureServers(t, small(modeEcho, func(d *load) {}), "ws://"+x.listen(t)+"/")
			wantErrors(t, r, x.kind, 4)
			if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, x.note) {
				t.Errorf("got notes %q, want %q in them", notes, x.note)
			}
		})
	}
}

// A listener that accepts nothing answers the first SYNs, until its queue is
// full: some upgrades time out, and some connects.
func TestNobodyAccepts(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	d := small(modeEcho, func(d *load) { d.Connections = 8; d.InFlight = 8; d.Timeout = 300 * time.Millisecond })
	port := sa.(*unix.SockaddrInet4).Port
	r := measureServers(t, d, "ws://127.0.0.1:"+strconv.Itoa(port)+"/")
	if r.ErrorsByKind[KindUpgradeTimeout] == 0 || r.ErrorsByKind[KindConnectTimeout] == 0 || r.Errors != 8 {
		t.Errorf("got errors %s, want 8 of kinds %v and %v", jsonOf(t, r.ErrorsByKind), KindUpgradeTimeout, KindConnectTimeout)
	}
}

// After a run nothing of it is left.
func TestRunLeavesNoDescriptor(t *testing.T) {
	s := startServer(t, echo)
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	loop := func(mode string) {
		measureServers(t, small(mode, func(d *load) { d.Duration = 50 * time.Millisecond; d.Rate = 100; d.Active = 2 }), s.url())
		s.drop()
		s.idle()
	}
	loop(modeEcho) // what the runtime opens once
	before := count()
	for _, mode := range []string{modeEcho, modeRate, modeIdle, modeStorm, modeSlow, modeMixed} {
		loop(mode)
		if after := count(); after != before {
			t.Errorf("%s: %d descriptors before, %d after", mode, before, after)
		}
	}
}
