package poller

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

const (
	// patience is how long a test waits for what should happen at once: enough
	// for a slow machine that does something else.
	patience = 30 * time.Second
	// poll is the time between two looks at a condition.
	poll = 2 * time.Millisecond
)

// echoing sends every message back.
var echoing = websocket.Route{
	Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) },
}

// running is a Server in a test. When the test ends it must have stopped with
// nothing left of its connections.
type running struct {
	*Server
	t     testing.TB
	log   *logBuffer
	stop  context.CancelFunc
	ended chan struct{}
	err   error // of Run; to be read after ended
}

// start runs a server with two loops on a free port of 127.0.0.1, unless change
// wants it otherwise.
func start(t testing.TB, table map[string]websocket.Route, change func(*Config)) *running {
	t.Helper()
	s := prepare(t, table, change)
	s.run()
	return s
}

// testLoops is how many loops a test's server has as a rule.
const testLoops = 2

// prepare is start without Run, for tests that change the Server before.
func prepare(t testing.TB, table map[string]websocket.Route, change func(*Config)) *running {
	t.Helper()
	log := new(logBuffer)
	config := Default(compiled(t, table))
	config.Listen, config.Loops, config.Drain = []string{"127.0.0.1:0"}, testLoops, 0
	config.Log = slog.New(slog.NewTextHandler(log, nil))
	if change != nil {
		change(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &running{Server: s, t: t, log: log, ended: make(chan struct{})}
}

// compiled is a routing table that is good.
func compiled(t testing.TB, table map[string]websocket.Route) *websocket.Routes {
	t.Helper()
	routes, err := websocket.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	return routes
}

// run runs the server until the test ends.
func (s *running) run() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.ended)
		s.err = s.Run(ctx)
	}()
	s.t.Cleanup(func() {
		stop()
		s.wait()
		s.wantBalanced()
	})
}

// in is the server as a sub-test sees it: who fails is the sub-test.
func (s *running) in(t testing.TB) *running {
	sub := *s
	sub.t = t
	return &sub
}

// wait waits for the end of Run and returns its error.
func (s *running) wait() error {
	s.t.Helper()
	select {
	case <-s.ended:
		return s.err
	case <-time.After(patience):
		s.t.Fatalf("Run did not return; %+v", s.Stats())
		return nil
	}
}

// wantBalanced checks that a stopped server holds nothing, and that every
// connection it accepted was counted once when it ended.
func (s *running) wantBalanced() {
	s.t.Helper()
	got := s.Stats()
	if !isZero(got) || s.posted.Load() != 0 || s.refused.Load() != 0 {
		s.t.Errorf("left behind: posted %d, refused %d, %+v", s.posted.Load(), s.refused.Load(), got)
	}
	ended := uint64(0)
	for _, n := range got.Closed {
		ended += n
	}
	codesIn, codesOut := uint64(0), uint64(0)
	for i, n := range got.Wire.ClosesIn {
		codesIn, codesOut = codesIn+n, codesOut+got.Wire.ClosesOut[i]
	}
	if codesIn != got.Upgrades || codesOut != got.Upgrades {
		s.t.Errorf("%d upgrades, close codes of %d and %d: in %v, out %v", got.Upgrades, codesIn, codesOut, got.Wire.ClosesIn, got.Wire.ClosesOut)
	}
	if ended != got.Accepted {
		s.t.Errorf("accepted %d connections, counted %d ends: %v", got.Accepted, ended, got.Closed)
	}
}

// isZero reports whether nothing of any connection is left.
func isZero(s Stats) bool {
	for _, r := range s.Routes {
		if r.Connections != [States]int{} {
			return false
		}
	}
	return s.Backlog == 0 && s.Connections == 0 && s.Paused == 0 && s.Busy == 0 && s.Timers == 0 && s.Entries == 0 && s.Buffered == 0
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// receive receives from a channel, within patience.
func receive[T any](t testing.TB, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("waited in vain for another goroutine")
	}
	return v
}

// until waits until the server's counters are as cond wants them.
func (s *running) until(what string, cond func(Stats) bool) {
	s.t.Helper()
	var got Stats
	defer func() {
		if s.t.Failed() {
			s.t.Logf("%+v", got)
		}
	}()
	eventually(s.t, what, func() bool {
		got = s.Stats()
		return cond(got)
	})
}

// wantClosed waits until exactly n connections have ended for cause, and
// nothing of any connection is left.
func (s *running) wantClosed(cause websocket.Cause, n uint64) {
	s.t.Helper()
	s.until("closed for "+cause.String()+", and nothing left", func(got Stats) bool {
		return got.Closed[cause] >= n && isZero(got)
	})
	if got := s.Stats().Closed[cause]; got != n {
		s.t.Errorf("got %d connections closed for %s, want %d", got, cause, n)
	}
}

// onLoops runs f on each loop's own goroutine, one after the other.
func (s *running) onLoops(f func(*loop)) {
	s.t.Helper()
	done := make(chan struct{})
	for _, l := range s.loops {
		err := l.mail.post(l, letter{kind: letterTask, task: func() {
			f(l)
			done <- struct{}{}
		}})
		if err != nil {
			s.t.Fatal(err)
		}
		<-done
	}
}

// logBuffer keeps what a server logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines counts the log lines that contain text.
func (l *logBuffer) lines(text string) (n int) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
