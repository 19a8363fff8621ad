package zoo

import (
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

func serve() *websockettest.Server {
	return websockettest.NewServer(map[string]websocket.Route{"/zoo": {HTTP: List}, "/zoo/{name}": Route()})
}

type client = websockettest.Client

// reactions are what visitors do, and what that is counted under.
var reactions = []struct {
	name, animal string
	does         func(s *websockettest.Server, c *client)
	want         Outcome
	cause        websocket.Cause
}{
	{"ends TCP", "rsv1", func(_ *websockettest.Server, c *client) { c.Hangup(websocket.ErrEOF) }, Failed, websocket.CauseEOF},
	{"resets", "accept-wrong", func(_ *websockettest.Server, c *client) { c.Hangup(websocket.ErrReset) }, Failed, websocket.CauseReset},
	{"closes with 1002", "rsv1", sendsClose(1002), Closed1002, websocket.CausePeer},
	{"closes with 1007", "utf8-whole", sendsClose(1007), Closed1007, websocket.CausePeer},
	{"closes with 4000", "rsv1", sendsClose(4000), ClosedOther, websocket.CausePeer},
	{"closes without a code", "rsv1", func(_ *websockettest.Server, c *client) { c.Send(ws.OpClose, "") }, ClosedNone, websocket.CausePeer},
	{"goes on", "rsv1", func(_ *websockettest.Server, c *client) {
		c.Send(ws.OpPong, "zoo")
		c.SendClose(1000, "")
	}, WentOn, websocket.CauseHandler},
	{"goes on, then no more", "rsv1", func(s *websockettest.Server, c *client) {
		c.Send(ws.OpPong, "zoo")
		s.Advance(time.Minute)
		c.Hangup(websocket.ErrCloseTimeout)
	}, WentOn, websocket.CauseCloseTimeout},
	{"answers another ping and goes", "ping-inside", func(_ *websockettest.Server, c *client) {
		c.Send(ws.OpPong, "")
		c.Hangup(websocket.ErrEOF)
	}, Failed, websocket.CauseEOF},
	{"speaks and goes", "rsv1", func(_ *websockettest.Server, c *client) {
		c.Send(ws.OpText, "hello")
		c.Send(ws.OpPing, "hello")
		c.Hangup(websocket.ErrEOF)
	}, Failed, websocket.CauseEOF},
	{"does nothing", "length-huge", func(s *websockettest.Server, _ *client) { s.Advance(patience) }, Waited, websocket.CauseHandler},
	{"breaks the protocol", "rsv1", func(_ *websockettest.Server, c *client) { c.Write([]byte("\x83\x80zzzz")) }, Broke, websocket.CauseProtocol},
	{"closes with a code that must not travel", "close-1005", func(_ *websockettest.Server, c *client) {
		c.Send(ws.OpClose, "\x03\xed")
	}, Broke, websocket.CauseProtocol},
	{"sees it hang up", "length-long", func(*websockettest.Server, *client) {}, HungUp, websocket.CauseHandler},
	{"is there when the server stops", "length-huge", func(_ *websockettest.Server, c *client) {
		c.Hangup(websocket.ErrGoingAway)
	}, Interrupted, websocket.CauseGoingAway},
	{"answers the close frame", "close-twice", sendsClose(1000), Closed1000, websocket.CausePeer},
	{"does not answer the close frame", "close-twice", func(s *websockettest.Server, _ *client) { s.Advance(patience) }, Waited, websocket.CauseHandler},
	{"never closes", "close-unanswered", func(s *websockettest.Server, _ *client) { s.Advance(patience) }, Waited, websocket.CauseHandler},
	{"gives up on an answer", "close-unanswered", func(_ *websockettest.Server, c *client) {
		c.SendClose(1000, "")
		c.Hangup(websocket.ErrEOF)
	}, Closed1000, websocket.CausePeer},
	{"waits for an answer", "close-unanswered", func(s *websockettest.Server, c *client) {
		c.SendClose(1000, "")
		s.Advance(patience)
		c.Hangup(websocket.ErrCloseTimeout)
	}, Waited, websocket.CauseCloseTimeout},
}

func sendsClose(code ws.StatusCode) func(*websockettest.Server, *client) {
	return func(_ *websockettest.Server, c *client) { c.SendClose(code, "") }
}

// Whatever a visitor does ends the visit, is counted once, and stands in the
// access log.
func TestOutcomes(t *testing.T) {
	for _, test := range reactions {
		t.Run(test.name, func(t *testing.T) {
			before := counts()
			s := serve()
			c := s.Dial("/zoo/" + test.animal)
			test.does(s, c)
			if cause, ended := c.Ended(); !ended || cause != test.cause {
				t.Errorf("ended %v, counted under %s, want %s; it got %s", ended, cause, test.cause, c.Frames())
			}
			want := [][2]string{{"animal", test.animal}, {"outcome", test.want.String()}}
			if got := c.Notes(); !slices.Equal(got, want) {
				t.Errorf("got notes %q, want %q", got, want)
			}
			before[want[0][1]+" "+want[1][1]]++
			for key, n := range counts() {
				if n != before[key] {
					t.Errorf("%s: counted %d, want %d", key, n, before[key])
				}
			}
			if s.Timers() != 0 || s.Buffers() != 0 {
				t.Errorf("left %d timers and %d buffers", s.Timers(), s.Buffers())
			}
		})
	}
}

func counts() map[string]uint64 {
	m := make(map[string]uint64)
	Each(func(animal, outcome string, n uint64) { m[animal+" "+outcome] = n })
	return m
}

// The animal that never answers a close frame sends nothing after it, and a close
// frame of its own is not sent twice.
func TestWhatFollowsAClose(t *testing.T) {
	for animal, want := range map[string]string{
		"close-unanswered": `text "close me"`,
		"close-empty":      `close ""`,
		"close-twice":      `close 1000 "", close 1001 ""`,
		"pong-unasked":     `pong "hello", ping "zoo", close 1000 "bye"`,
	} {
		s := serve()
		c := s.Dial("/zoo/" + animal)
		c.SendClose(1000, "bye")
		s.Advance(time.Minute)
		if got := c.Frames(); got != want {
			t.Errorf("%s: got %s, want %s", animal, got, want)
		}
	}
}

// Nobody who does nothing stays: every visit has an end that only the clock
// brings.
func TestVisitsEnd(t *testing.T) {
	for _, a := range Animals() {
		s := serve()
		c := s.Dial(a.URL)
		s.Advance(20 * time.Second)
		if _, ended := c.Ended(); !ended {
			t.Errorf("%s: the visit goes on after 20 s", a.Name)
		}
	}
}

// A visitor that does not read makes an animal wait, and gets all that is left
// when it reads again.
func TestSlowVisitor(t *testing.T) {
	s := serve()
	c := s.Dial("/zoo/ping-flood")
	c.Stall()
	s.Advance(10 * time.Second)
	held := len(c.Raw())
	c.Unstall()
	s.Advance(2 * time.Second)
	whole := held + len(c.Raw())
	if want := floodPings*127 + len(call); whole != want {
		t.Errorf("got %d bytes, want %d", whole, want)
	}
}

func TestUnknownAnimal(t *testing.T) {
	if r := serve().Dial("/zoo/unicorn").Response(); r == nil || r.StatusCode != 404 {
		t.Errorf("got %v", r)
	}
}

// Labels are what counters and logs are keyed by.
func TestOutcomeLabels(t *testing.T) {
	seen := make(map[string]bool)
	for o := undecided + 1; o < outcomes; o++ {
		text, _ := o.MarshalText()
		var back Outcome
		if err := back.UnmarshalText(text); err != nil || back != o || len(text) == 0 || seen[o.String()] {
			t.Errorf("outcome %d has the label %q, which means %d: %v", o, text, back, err)
		}
		seen[o.String()] = true
	}
	if err := new(Outcome).UnmarshalText(nil); err == nil {
		t.Error("the empty label means something")
	}
}

// segmented are the animals that come in many segments, and in how many at least.
var segmented = map[string]int{
	"headers-oversized": 32, "headers-split": 14, "one-by-one": 129 + 9 + 1, "ping-flood": 21, "close-split": 1 + 7,
}

// What comes in pieces comes over time: a client that reads all there is does not
// get two of them at once.
func TestGaps(t *testing.T) {
	for name := range segmented {
		s := serve()
		c := s.Dial("/zoo/" + name)
		c.Raw()
		s.Advance(tick)
		piece := len(c.Raw())
		s.Advance(patience)
		if rest := len(c.Raw()); piece == 0 || rest == 0 {
			t.Errorf("%s: got %d bytes after a tick, %d later", name, piece, rest)
		}
	}
}
