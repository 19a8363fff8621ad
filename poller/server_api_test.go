package poller

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// Functions of After run in the order of their times; one that was stopped does
// not, and Stop tells whether it was in time.
func TestAfter(t *testing.T) {
	t.Parallel()
	tell := func(p string) func(*websocket.Conn) error {
		return func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte(p)) }
	}
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		c.After(200*time.Millisecond, tell("third"))
		first := c.After(20*time.Millisecond, tell("first"))
		stopped := c.After(60*time.Millisecond, tell("stopped"))
		c.After(100*time.Millisecond, func(c *websocket.Conn) error {
			return c.Send(ws.OpText, fmt.Append(nil, "second ", first.Stop(), " ", stopped.Stop()))
		})
		return c.Send(ws.OpText, fmt.Append(nil, "stopped ", stopped.Stop()))
	}}}, nil)
	c := s.dial("/")
	c.text("go")
	c.wantText("stopped true")
	c.wantText("first")
	c.wantText("second false false")
	c.wantText("third")
	s.until("no timer left", func(got Stats) bool { return got.Timers == 0 && got.Busy == 0 })
}

// Timers die with their connection, and give back their places.
func TestAfterDiesWithConnection(t *testing.T) {
	t.Parallel()
	var fired atomic.Int64
	s := start(t, map[string]websocket.Route{"/": {Open: func(c *websocket.Conn) error {
		for range 10 {
			c.After(time.Hour, func(*websocket.Conn) error { fired.Add(1); return nil })
		}
		return nil
	}}}, func(c *Config) { c.Loops = 1 })
	for i := range 5 {
		c := s.dial("/")
		s.until("timers", func(got Stats) bool { return got.Timers == 10 && got.Entries == 11 })
		c.Close()
		s.wantClosed(websocket.CauseEOF, uint64(i+1))
	}
	s.onLoops(func(l *loop) {
		if n := len(l.timers); n > 11 {
			t.Errorf("got %d places for 10 timers at a time: they are not used again", n)
		}
	})
	if n := fired.Load(); n != 0 {
		t.Errorf("%d timers fired", n)
	}
}

// Jobs of one connection run one at a time, in the order of its messages, and it
// is not read meanwhile; another connection's run beside them.
func TestGo(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	turn := make(chan struct{})
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		p = append([]byte(nil), p...)
		job := func() func(*websocket.Conn) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-turn
			running.Add(-1)
			return func(c *websocket.Conn) error { return c.Send(op, p) }
		}
		if err := c.Go(job); err != nil {
			return err
		}
		if err := c.Go(job); err == nil {
			return c.Send(op, []byte("two jobs at a time"))
		}
		return nil
	}}, "/echo": echoing}, nil)
	c := s.dial("/")
	const n = 20
	var all []byte
	for i := range n {
		all = append(all, masked(ws.OpText, fmt.Append(nil, "message ", i), true)...)
	}
	c.write(all)
	s.dial("/echo").echo("not held up")
	go func() {
		for range n {
			turn <- struct{}{}
		}
	}()
	for i := range n {
		c.wantText(fmt.Sprint("message ", i))
	}
	if got := most.Load(); got != 1 {
		t.Errorf("got %d jobs of one connection at once, want 1", got)
	}
}

// Config.Jobs bounds the jobs of all connections; the rest waits its turn.
func TestJobsAreBounded(t *testing.T) {
	t.Parallel()
	const bound, n = 3, 10
	var running, most atomic.Int64
	turn := make(chan struct{})
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, _ []byte) error {
		return c.Go(func() func(*websocket.Conn) error {
			for got := running.Add(1); ; {
				if old := most.Load(); old >= got || most.CompareAndSwap(old, got) {
					break
				}
			}
			<-turn
			running.Add(-1)
			return func(c *websocket.Conn) error { return c.Send(op, []byte("done")) }
		})
	}}}, func(c *Config) { c.Jobs = bound })
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = s.dial("/")
		clients[i].text("work")
	}
	eventually(t, "as many jobs as may be", func() bool { return running.Load() == bound })
	for range n {
		turn <- struct{}{}
	}
	for _, c := range clients {
		c.wantText("done")
	}
	if got := most.Load(); got != bound {
		t.Errorf("got %d jobs at once, want %d", got, bound)
	}
}

// A connection that is paused is not read, frames that were read already
// included; Resume goes on where it stopped, though no event will come.
func TestPauseResume(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64
	handles := make(chan websocket.Handle, 1)
	s := start(t, map[string]websocket.Route{"/": {
		Open: func(c *websocket.Conn) error {
			handles <- c.Handle()
			return narrow.Open(c)
		},
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			taken.Add(1)
			if string(p) == "pause" {
				c.Pause()
			}
			return c.Send(op, p)
		},
	}}, nil)
	c := s.dialNarrow("/")
	h := receive(t, handles)
	c.write(append(masked(ws.OpText, []byte("pause"), true), masked(ws.OpText, []byte("after"), true)...))
	c.wantText("pause")
	if n := c.stuff(many(1000, masked(ws.OpText, make([]byte, 1000), true))); n == 1000*1008 {
		t.Errorf("the server took %d bytes of a paused connection", n)
	}
	if got := taken.Load(); got != 1 {
		t.Errorf("%d messages were handled, want the one that paused", got)
	}
	if err := h.Do(func(c *websocket.Conn) error { c.Resume(); return nil }); err != nil {
		t.Fatal(err)
	}
	c.wantText("after")
	c.want(ws.OpText, make([]byte, 1000))
}

// Each reaches the connections of one route, on all loops, and no other.
func TestEach(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/room/{name}": echoing, "/other": echoing}, nil)
	var room []*client
	for i := range 20 {
		room = append(room, s.dial(fmt.Sprint("/room/", i)))
	}
	other, half := s.dial("/other"), s.connect()
	half.write([]byte("GET /room/x HTTP/1.1\r\n"))
	s.Each("/room/{name}", func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("news")) })
	for _, c := range room {
		c.wantText("news")
	}
	other.echo("no news")
	s.Each("/none", boomLater)
	room[0].echo("still there")
}

// Flush sends what there is before the handler returns.
func TestFlush(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		if err := c.Send(op, []byte("before")); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		<-seen // blocks the loop, as no handler should: the client has it by now
		return c.Send(op, p)
	}}}, nil)
	c := s.dial("/")
	c.text("after")
	c.wantText("before")
	close(seen)
	c.wantText("after")
}

// End ends TCP without a close frame: in order after what was sent, or at once.
func TestEnd(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		if err := c.Send(op, []byte("last words")); err != nil {
			return err
		}
		if string(p) == "fin" {
			c.End(websocket.FIN)
			return nil
		}
		c.End(websocket.Reset)
		if string(p) == "reset and fail" {
			return errors.New("afterwards")
		}
		return nil
	}}}, nil)
	c := s.dial("/")
	c.text("fin")
	c.wantText("last words")
	c.wantEOF()
	c.Close()
	s.wantClosed(websocket.CauseHandler, 1)
	for i, order := range []string{"reset", "reset and fail"} {
		c = s.dial("/")
		c.text(order)
		c.wantReset()
		s.wantClosed(websocket.CauseHandler, uint64(2+i))
	}
}

// What is attached stays with its connection, and goes with it.
func TestAttach(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/{name}": {
		Upgrade: func(c *websocket.Conn, r *websocket.Request) error {
			if name := r.Param("name"); name != "nobody" {
				c.Attach(name)
			}
			return nil
		},
		Message: func(c *websocket.Conn, op ws.OpCode, _ []byte) error {
			return c.Send(op, fmt.Append(nil, c.Value()))
		},
	}}, func(c *Config) { c.Loops = 1 })
	for range 3 {
		a, b, nobody := s.dial("/a"), s.dial("/b"), s.dial("/nobody")
		for c, want := range map[*client]string{a: "a", b: "b", nobody: "<nil>"} {
			c.text("who am I")
			c.wantText(want)
			c.Close()
		}
		s.until("all gone", isZero)
	}
}

// Close runs once for each connection that got its 101, with what ended it.
func TestCloseRunsOnce(t *testing.T) {
	t.Parallel()
	causes := make(chan websocket.CloseError, 10)
	s := start(t, map[string]websocket.Route{"/": {
		Message: closing.Message,
		Close:   func(_ *websocket.Conn, cause websocket.CloseError) { causes <- cause },
	}}, nil)
	c := s.dial("/")
	c.send(ws.OpClose, closeBody(4001, "peer"))
	c.want(ws.OpClose, closeBody(4001, "peer"))
	c.wantEOF()
	if got := receive(t, causes); got.Code != 4001 || got.Reason != "peer" || !got.Peer {
		t.Errorf("got %v, want the peer's close", got)
	}
	c = s.dial("/")
	c.text("close")
	c.wantClose(4000)
	c.finish(4000)
	if got := receive(t, causes); got.Code != 4000 || got.Peer {
		t.Errorf("got %v, want our close", got)
	}
	s.dial("/").Close()
	if got := receive(t, causes); got.Cause != websocket.CauseEOF || got.Code != 1006 {
		t.Errorf("got %v, want the end of the stream, 1006", got)
	}
	s.connect().Close()
	s.until("all gone", func(got Stats) bool { return got.Accepted == 4 && isZero(got) })
	if n := len(causes); n != 0 {
		t.Errorf("Close ran %d times too often", n)
	}
}

// Stats answers while a loop is blocked, with what that told last, and after the
// end. What only grows never shrinks, and a loop's place in PerLoop is its own.
func TestStats(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, nil)
	if got := s.Loops(); got != 2 {
		t.Errorf("got %d loops, want 2", got)
	}
	c := s.dial("/")
	c.echo("one")
	before := s.Stats()
	release := s.blockLoop()
	s.until("one loop is silent", func(got Stats) bool { return len(got.Silent) == 1 })
	if got := s.Stats(); got.Accepted != 1 || got.Upgrades != 1 || !slices.Equal(got.PerLoop, before.PerLoop) {
		t.Errorf("got %+v with a blocked loop, want it as before: %+v", got, before)
	}
	close(release)
	c.Close()
	s.until("both loops", func(got Stats) bool { return got.Silent == nil && got.Connections == 0 })
	s.stop()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Accepted != 1 || len(got.PerLoop) != 2 || !isZero(got) {
		t.Errorf("got %+v after the end, want one accepted and nothing left", got)
	}
}

// A loop that has drained before the others is still counted.
func TestStatsWhileDraining(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops, c.Drain = 3, 0 })
	s.dial("/").Close()
	s.until("it has ended", func(got Stats) bool { return got.Closed[websocket.CauseEOF] == 1 })
	release := s.block(s.loops[1]) // which has no listener: the others can end
	s.stop()
	eventually(t, "two loops have ended", func() bool {
		_, how := ask(s.Server, answerTime, func(*loop, func(bool)) {})
		return slices.Equal(slices.Sorted(slices.Values(how)), []standing{silent, gone, gone})
	})
	if got := s.Stats(); got.Accepted != 1 || len(got.Silent) != 1 || len(got.PerLoop) != 3 {
		t.Errorf("got %+v while one loop drains, want one accepted, one silent", got)
	}
	close(release)
}

// Questions that nobody answers do not pile up.
func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 1 })
	release := s.blockLoop()
	for range 3 * questionsMost {
		if _, how := ask(s.Server, 0, func(*loop, func(bool)) {}); how[0] != silent {
			t.Fatalf("a blocked loop is %d", how[0])
		}
	}
	l := s.loops[0]
	l.mail.mu.Lock()
	n := len(l.mail.letters)
	l.mail.mu.Unlock()
	if n != questionsMost {
		t.Errorf("%d letters wait for a blocked loop, want %d", n, questionsMost)
	}
	close(release)
	s.until("it answers", func(got Stats) bool { return got.Silent == nil })
}
