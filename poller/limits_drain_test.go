package poller

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// limits.md G1, conformance L8: everybody is sent away with 1001, not all at
// once, listeners are closed, and Run returns nil.
func TestDrain(t *testing.T) {
	t.Parallel()
	const n, over = 200, 2 * time.Second
	var mu sync.Mutex
	var left []time.Duration // when, since the drain began
	var begun time.Time
	s := start(t, map[string]websocket.Route{"/": {
		Message: echoing.Message,
		Close: func(_ *websocket.Conn, cause websocket.CloseError) {
			mu.Lock()
			defer mu.Unlock()
			if cause.Cause == websocket.CauseGoingAway {
				left = append(left, time.Since(begun))
			}
		},
	}}, func(c *Config) { c.Drain = over })
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = s.dial("/")
		clients[i].echo("hello")
	}
	plain := s.connect() // has sent no request
	addr := s.Addrs()[0].String()
	begun = time.Now()
	s.stop()
	atOnce(t, n, func(i int) error { return sentAway(clients[i]) })
	plain.wantEOF()
	if err := s.wait(); err != nil {
		t.Errorf("got %v from Run, want nil", err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("still listened on")
	}
	if got := s.Stats().Closed[websocket.CauseGoingAway]; got != n+1 {
		t.Errorf("got %d connections sent away, want %d", got, n+1)
	}
	wantSpread(t, left, over)
}

// wantSpread checks that what happened was spread: ten times the share that a
// twentieth of the time would have is the most it may have.
func wantSpread(t *testing.T, at []time.Duration, over time.Duration) {
	t.Helper()
	var share [21]int
	for _, d := range at {
		share[min(int(20*d/over), 20)]++
	}
	for i, n := range share {
		if n > len(at)/2 {
			t.Errorf("%d of %d left in one twentieth of %s, number %d: %v", n, len(at), over, i, share)
		}
	}
}

// limits.md G1: no echo that was taken is lost: the close frame comes after all
// replies to what the handler was given.
func TestDrainLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 20
	var taken [n]atomic.Int64
	s := start(t, map[string]websocket.Route{"/{i}": {
		Upgrade: func(c *websocket.Conn, r *websocket.Request) error {
			c.Attach(&taken[r.Param("i")[0]-'a'])
			return nil
		},
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			c.Value().(*atomic.Int64).Add(1)
			return c.Send(op, p)
		},
	}}, func(c *Config) { c.Drain = 300 * time.Millisecond })
	var clients [n]*client
	for i := range clients {
		c := s.dial("/" + string(rune('a'+i)))
		go func() { // sends until it can no longer
			frame := masked(ws.OpBinary, make([]byte, 1000), true)
			for {
				if _, err := c.Write(frame); err != nil {
					return
				}
			}
		}()
		c.want(ws.OpBinary, make([]byte, 1000))
		clients[i] = c
	}
	s.stop()
	var group sync.WaitGroup
	for i, c := range clients {
		group.Go(func() {
			got := int64(1)
			for {
				op, _, err := c.read()
				if err != nil {
					t.Errorf("client %d: %v before the close frame", i, err)
					return
				}
				if op == ws.OpClose {
					break
				}
				got++
			}
			if want := taken[i].Load(); got != want {
				t.Errorf("client %d got %d echoes before the close frame, the handler was given %d messages", i, got, want)
			}
			c.Close()
		})
	}
	group.Wait()
	if err := s.wait(); err != nil {
		t.Errorf("got %v from Run, want nil", err)
	}
}

// limits.md G1: a message whose job is under way has been taken too: its answer
// comes before the close frame. What waits behind it has not.
func TestDrainWaitsForJobs(t *testing.T) {
	t.Parallel()
	begun, work := make(chan struct{}, 2), make(chan struct{})
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		p = append([]byte(nil), p...)
		return c.Go(func() func(*websocket.Conn) error {
			begun <- struct{}{}
			<-work
			return func(c *websocket.Conn) error { return c.Send(op, p) }
		})
	}}}, func(c *Config) { c.Loops, c.Drain = 1, 20*time.Millisecond })
	c := s.dial("/")
	c.write(append(masked(ws.OpText, []byte("taken"), true), masked(ws.OpText, []byte("not taken"), true)...))
	receive(t, begun)
	s.stop()
	eventually(t, "the drain over", func() (over bool) {
		s.onLoops(func(l *loop) { over = l.draining != 0 && l.tick > l.draining+10 })
		return over
	})
	close(work)
	c.wantText("taken")
	c.wantClose(1001)
	c.finish(1001)
	if err := s.wait(); err != nil {
		t.Errorf("got %v from Run, want nil", err)
	}
}

// limits.md G1: what the kernel has accepted already is served, on whichever
// loop, although the drain begins before anybody has looked.
func TestDrainServesBacklog(t *testing.T) {
	t.Parallel()
	for range 3 {
		s := prepare(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
			c.Loops, c.Drain = 4, time.Second
		})
		s.each(func(l *loop) { l.beginDrain() }) // the first that the loops hear of
		clients := make([]*client, 30)
		for i := range clients {
			clients[i] = s.connect()
			clients[i].write([]byte(request("/")))
		}
		s.run()
		s.stop()
		for _, c := range clients {
			c.upgraded()
			c.wantClose(1001)
			c.finish(1001)
		}
		if err := s.wait(); err != nil {
			t.Errorf("got %v from Run, want nil", err)
		}
	}
}

// Who does not answer is cut when the time for the drain is over.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Limits.CloseTimeout, c.Drain, c.DrainTimeout = time.Hour, 50*time.Millisecond, 300*time.Millisecond
	})
	deaf, stuck := s.dial("/"), s.dial("/")
	stuck.write(raw(0x82, 1<<20)) // in the midst of a message
	s.stop()
	for _, c := range []*client{deaf, stuck} {
		c.wantClose(1001)
		c.wantReset()
	}
	if err := s.wait(); err != nil {
		t.Errorf("got %v from Run, want nil", err)
	}
	if got := s.Stats().Closed[websocket.CauseGoingAway]; got != 2 {
		t.Errorf("got %d connections counted as going_away, want 2", got)
	}
}

// limits.md G2: Cut ends all connections at once, whether a drain is under way
// or not, and with them Run.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, draining := range []bool{true, false} {
		s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
			c.Drain, c.DrainTimeout = time.Hour, 0
		})
		c, half := s.dial("/"), s.connect()
		c.echo("hello")
		if draining {
			s.stop()
			eventually(t, "a closed listener", func() bool {
				conn, err := net.Dial("tcp", s.Addrs()[0].String())
				if err == nil {
					conn.Close()
				}
				return err != nil
			})
			c.echo("still served")
		}
		s.Cut()
		c.wantReset()
		half.wantReset()
		if err := s.wait(); err != nil {
			t.Errorf("draining %t: got %v from Run, want nil", draining, err)
		}
	}
}

// Connections that are on their way from one loop to another are cut too.
func TestCutWithBacklog(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := prepare(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
			c.Loops, c.Drain, c.DrainTimeout = 4, time.Hour, 0
		})
		for range 30 {
			s.connect().write([]byte(request("/")))
		}
		s.run()
		s.Cut()
		if err := s.wait(); err != nil {
			t.Errorf("got %v from Run, want nil", err)
		}
	}
}
