package poller

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// TestPace: a loop may doze that goes on within a millisecond as a rule, if the
// runtime has another processor.
func TestPace(t *testing.T) {
	for _, x := range []struct {
		name         string
		spare, brisk bool
		took         time.Duration
		want         bool
	}{
		{"becomes brisk", true, false, 0, true},
		{"stays brisk", true, true, 0, true},
		{"becomes slow", true, true, 2 * briskTime, false},
		{"stays slow", true, false, 2 * briskTime, false},
		{"no processor to spare", false, false, 0, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			in := interest{spare: x.spare, brisk: x.brisk, rounds: briskRounds - 2}
			if got := in.pace(); got != (x.brisk && x.spare) {
				t.Errorf("found out too soon: %t", got)
			}
			in.since = time.Now().Add(-x.took)
			if got := in.pace(); got != x.want {
				t.Errorf("got %t, want %t", got, x.want)
			}
		})
	}
}

// TestDoze: a brisk loop handles what comes while it dozes, and goes to sleep with
// the scheduler's knowledge when nothing does.
func TestDoze(t *testing.T) {
	const messages = 5
	got := 0
	var next func()
	l := still(t, func(c *Config) {
		routes, err := websocket.Compile(map[string]websocket.Route{"/echo": {Message: func(*websocket.Conn, ws.OpCode, []byte) error {
			if got++; got < messages {
				next()
			}
			return nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		c.Routes = routes
	})
	c := open(t, l)
	next = func() {
		if _, err := unix.Write(c.peer, masked(ws.OpText, []byte("one more"), true)); err != nil {
			t.Error(err)
		}
	}
	for _, brisk := range []bool{true, false} {
		got, l.interest.spare, l.interest.brisk, l.interest.rounds = 0, true, brisk, 0
		next()
		if err := l.awake(-1, 0, 0); err != nil {
			t.Fatal(err)
		}
		want := 1 // round
		if brisk {
			want = messages
		}
		if got != want {
			t.Errorf("brisk %t: %d messages handled before it sleeps, want %d", brisk, got, want)
		}
		if err := l.listen(); !errors.Is(err, unix.EEXIST) {
			t.Errorf("brisk %t: the list is not watched while the loop sleeps: %v", brisk, err)
		}
	}
}

// TestNap: a loop does not sleep while a connection waits for its turn.
func TestNap(t *testing.T) {
	l := still(t, nil)
	c := open(t, l)
	for _, x := range []struct {
		dozing, queued bool
		want           int
	}{{true, false, doze}, {false, false, 0}, {true, true, 0}, {false, true, 0}} {
		if x.queued {
			l.requeue(c.fd, c.slot)
		}
		if got := l.nap(x.dozing); got != x.want {
			t.Errorf("dozing %t, queued %t: got %d ms, want %d", x.dozing, x.queued, got, x.want)
		}
	}
	l.takeTurns()
}

// TestBriskLoopLeavesRoom: jobs, the collector and all else run while every loop
// dozes between two events, and a drain ends it.
func TestBriskLoopLeavesRoom(t *testing.T) {
	working := websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, payload []byte) error {
		text := string(payload)
		return c.Go(func() func(*websocket.Conn) error {
			return func(c *websocket.Conn) error { return c.Send(op, []byte(text)) }
		})
	}}
	s := start(t, map[string]websocket.Route{"/": echoing, "/job": working}, nil)
	s.onLoops(func(l *loop) {
		if !l.interest.spare {
			t.Error("no processor to spare")
		}
		l.interest.brisk, l.interest.rounds = true, -1<<30 // not found out again
	})
	c, job := s.dial("/"), s.dial("/job")
	for range 50 {
		c.echo("brisk")
		job.echo("a job's")
		runtime.GC()
	}
	s.stop()
}
