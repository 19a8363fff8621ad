package poller

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// modelSeed is the seed of every run.
const modelSeed = 11

// TestModel has hundreds of clients do random things at the same time, each by
// a script from a seed, and compares what each of them sees, and what the server
// has counted, with what the oracle says (model_oracle_test.go). Everywhere the
// seed is the same; with ECHOGATE_TEST_FULL one of the clock follows, and
// ECHOGATE_TEST_SEED takes the place of both: what a failed run has printed.
func TestModel(t *testing.T) {
	seeds := []uint64{modelSeed}
	if os.Getenv("ECHOGATE_TEST_FULL") != "" {
		seeds = append(seeds, uint64(time.Now().UnixNano()))
	}
	if text := os.Getenv("ECHOGATE_TEST_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { model(t, seed) })
	}
}

// model runs the scripts of one seed: a second wave of connections gets the
// descriptors, buffers and working states that the first has left.
func model(t *testing.T, seed uint64) {
	waves, clients := 2, 250
	if raceBuild {
		clients = 150 // each costs several times as much there
	}
	closes := new(atomic.Int64)
	s := start(t, modelRoutes(closes), func(c *Config) {
		// Deadlines are filed and none of them passes.
		c.HandshakeTimeout = 2 * patience
		c.Limits.MaxMessage, c.Limits.HighWater, c.Limits.LowWater = modelMessage, 16<<10, 4<<10
	})
	var all []*script
	for range waves {
		var wave []*script
		for range clients {
			wave = append(wave, newScript(seed, len(all)+len(wave)))
		}
		playAll(s, wave)
		all = append(all, wave...)
		s.until("the end of every connection, with nothing left", func(got Stats) bool {
			return got.Accepted == uint64(len(all)) && isZero(got)
		})
	}
	s.wantCounted(all)
	if got, want := uint64(closes.Load()), s.Stats().Upgrades; got != want {
		t.Errorf("Close ran %d times for %d upgrades", got, want)
	}
}

// playAll plays scripts at the same time.
func playAll(s *running, wave []*script) {
	s.t.Helper()
	actors := make([]*actor, len(wave))
	for i, x := range wave {
		actors[i] = newActor(s, x)
	}
	var group sync.WaitGroup
	for _, a := range actors {
		group.Go(func() {
			if err := a.play(); err != nil {
				s.t.Error(err)
			}
		})
	}
	group.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// wantCounted compares the server's counters with the scripts.
func (s *running) wantCounted(all []*script) {
	s.t.Helper()
	var want Stats
	either := uint64(0) // ended by EOF or reset, which of the two is chance
	for _, x := range all {
		switch {
		case x.opening == openNowhere:
			want.Rejected[websocket.RejectPath]++
		case x.opening != openHalf:
			want.Upgrades++
		}
		if len(x.causes) > 1 {
			either++
			continue
		}
		want.Closed[x.causes[0]]++
	}
	got := s.Stats()
	if got.Accepted != uint64(len(all)) || got.Upgrades != want.Upgrades || got.Rejected != want.Rejected {
		s.t.Errorf("got %d accepted, %d upgrades, rejected %v, want %d, %d, %v",
			got.Accepted, got.Upgrades, got.Rejected, len(all), want.Upgrades, want.Rejected)
	}
	if got.Pauses == 0 || got.SendsRefused != 0 || got.Refused != want.Refused {
		s.t.Errorf("got %d pauses, want some; %d sends and %v connections refused, want none", got.Pauses, got.SendsRefused, got.Refused)
	}
	for c, n := range got.Closed {
		cause, most := websocket.Cause(c), want.Closed[c]
		if cause == websocket.CauseEOF || cause == websocket.CauseReset {
			most += either
		}
		if n < want.Closed[c] || n > most {
			s.t.Errorf("got %d connections closed for %s, want %d to %d", n, cause, want.Closed[c], most)
		}
	}
}

// modelPaths are the routes of the model that echo.
var modelPaths = [...]string{"/echo", "/copy", "/job", "/pause"}

// modelRoutes echo in all the ways in which a reply can leave. closes counts
// the calls of Close.
func modelRoutes(closes *atomic.Int64) map[string]websocket.Route {
	type message = func(*websocket.Conn, ws.OpCode, []byte) error
	table := make(map[string]websocket.Route)
	for i, echo := range [len(modelPaths)]message{echo, echoCopy, echoJob, echoPause} {
		table[modelPaths[i]] = websocket.Route{
			Open: func(c *websocket.Conn) error {
				return unix.SetsockoptInt(int(c.ID()), unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10)
			},
			Close: func(*websocket.Conn, websocket.CloseError) { closes.Add(1) },
			Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
				switch string(p) {
				case pleaseClose:
					return c.Close(modelClose, "as you please")
				case pleasePanic:
					boom()
				}
				return echo(c, op, p)
			},
		}
	}
	return table
}

// echoCopy answers with memory of its own, so that nothing leaves in place.
func echoCopy(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, bytes.Clone(p)) }

// echoJob answers from a job; the connection is not read meanwhile.
func echoJob(c *websocket.Conn, op ws.OpCode, p []byte) error {
	p = bytes.Clone(p)
	return c.Go(func() func(*websocket.Conn) error {
		return func(c *websocket.Conn) error { return c.Send(op, p) }
	})
}

// echoPause answers, and is not read for a moment.
func echoPause(c *websocket.Conn, op ws.OpCode, p []byte) error {
	c.Pause()
	c.After(time.Millisecond, func(c *websocket.Conn) error { c.Resume(); return nil })
	return c.Send(op, p)
}
