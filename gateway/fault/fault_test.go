package fault_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"echogate/gateway/fault"
	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func echo(c *websocket.Conn, op ws.OpCode, p []byte) error {
	if err := c.Send(op, p); err != nil {
		return err
	}
	if string(p) == "Goodbye" {
		return c.Close(1000, "")
	}
	return nil
}

// serve has an echo with faults at /echo.
func serve(counts *fault.Counts) *websockettest.Server {
	b := fault.Binder{Counts: counts}
	return websockettest.NewServer(map[string]websocket.Route{"/echo": b.Bind(websocket.Route{Message: echo}, nil)})
}

// TestFaults sends a, b, c, d under each fault, and then lets 20 s pass.
func TestFaults(t *testing.T) {
	for query, want := range map[string]string{
		"":                            `text "a", text "b", text "c", text "d"`,
		"nonsense=1&seed=1":           `text "a", text "b", text "c", text "d"`,
		"delay=20s":                   `text "a", text "b", text "c", text "d"`,
		"delay=21s":                   ``,
		"jitter=10s&seed=3":           `text "a", text "b", text "c", text "d"`,
		"rate=3":                      `text "a", text "b", text "c", text "d"`,
		"drop=1":                      ``,
		"drop=0":                      `text "a", text "b", text "c", text "d"`,
		"dup=1":                       `text "a", text "a", text "b", text "b", text "c", text "c", text "d", text "d"`,
		"reorder=1":                   `text "b", text "a", text "d", text "c"`,
		"reorder=1&delay=1s":          `text "b", text "a", text "d", text "c"`,
		"truncate=1":                  `text "", text "", text "", text ""`,
		"close=4001@3&reason=so+long": `text "a", text "b", close 4001 "so long"`,
		"close=1005@1":                `close ""`,
		"close=1012":                  `close 1012 ""`,
		"close=1000@3s":               `text "a", text "b", text "c", text "d", close 1000 ""`,
		"close=1000@3s&delay=10s":     `text "a", text "b", text "c", text "d", close 1000 ""`,
		"close=1000@2&delay=1s":       `text "a", close 1000 ""`,
		"rst@2":                       `text "a"`,
		"rst=@2":                      `text "a"`,
		"fin":                         ``,
		"fin@4":                       `text "a", text "b", text "c"`,
		"fin@4s&dup=1&drop=0":         `text "a", text "a", text "b", text "b", text "c", text "c", text "d", text "d"`,
		"halfclose@3":                 `text "a", text "b"`,
		"stall@3":                     `text "a", text "b"`,
		"stall":                       ``,
		"unasked=hello":               `text "hello", text "a", text "b", text "c", text "d"`,
		"unasked=":                    `text "", text "a", text "b", text "c", text "d"`,
		"unasked=x&drop=1":            `text "x"`,
		"fragment=1":                  `text "a", text "b", text "c", text "d"`,
		"close=1000@9&drop=1":         ``,
		"reorder=1&close=1001@2":      `text "a", close 1001 ""`,
		"drop=1&drop=0":               ``,
	} {
		s := serve(nil)
		c := s.Dial("/echo?" + query)
		for _, m := range []string{"a", "b", "c", "d"} {
			c.Send(ws.OpText, m)
		}
		s.Advance(20 * time.Second)
		if got := c.Frames(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
}

// The same seed and the same input give the same bytes; another seed others.
func TestSeeds(t *testing.T) {
	run := func(query string) string {
		s := serve(nil)
		c := s.Dial("/echo?" + query)
		if got := c.Response().Header.Get("X-Echogate-Seed"); !strings.Contains(query+"&", "seed="+got+"&") {
			t.Errorf("%s: got seed %q", query, got)
		}
		for i := range 60 {
			c.Send(ws.OpText, fmt.Sprintf("message %d", i))
			s.Advance(10 * time.Millisecond)
		}
		s.Advance(time.Minute)
		return string(c.Raw())
	}
	for _, faults := range []string{
		"drop=0.3", "dup=0.5", "reorder=0.3", "corrupt=0.4", "truncate=0.5",
		"delay=100ms&jitter=1s&rate=500&drop=0.1&dup=1.5&reorder=0.2&corrupt=0.2&truncate=0.3&fragment=3",
	} {
		first, again, other := run(faults+"&seed=7"), run(faults+"&seed=7"), run(faults+"&seed=8")
		if first != again {
			t.Errorf("%s: two runs differ", faults)
		}
		if first == other {
			t.Errorf("%s: another seed gives the same", faults)
		}
	}
}

// A seed is good for years: what it gives does not change with Go or with us.
func TestSeedIsForGood(t *testing.T) {
	s := serve(nil)
	c := s.Dial("/echo?seed=42&drop=0.3&dup=0.3&reorder=0.3&corrupt=0.2&truncate=0.2")
	for i := range 12 {
		c.Send(ws.OpText, strings.Repeat(string(rune('a'+i)), 4))
	}
	s.Advance(time.Second)
	const want = "text \"bbb`\", text \"aa!a\", text \"cccc\", text \"fff\", text \"gggg\", " +
		"text \"yiii\", text \"hhhh\", text \"hhhh\", text \"jjjj\", text \"kkkk\", text \"kkkk\", text \"llll\""
	if got := c.Frames(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Without a seed one is drawn, and told.
func TestSeedIsDrawn(t *testing.T) {
	s := serve(nil)
	a := s.Dial("/echo?drop=0.5").Response().Header.Get("X-Echogate-Seed")
	b := s.Dial("/echo?drop=0.5").Response().Header.Get("X-Echogate-Seed")
	if a == "" || a == b {
		t.Errorf("got seeds %q and %q", a, b)
	}
	if h := s.Dial("/echo").Response().Header.Get("X-Echogate-Seed"); h != "" {
		t.Errorf("got seed %q without a fault", h)
	}
}

func TestCorrupt(t *testing.T) {
	s := serve(nil)
	c := s.Dial("/echo?corrupt=1&seed=5")
	for range 50 {
		c.Send(ws.OpBinary, "\x00\x00\x00\x00")
		f := c.Next()
		if ones := onesIn(f.Payload); len(f.Payload) != 4 || ones != 1 {
			t.Fatalf("got %q: %d bits differ, want 1", f.Payload, ones)
		}
	}
	c.Send(ws.OpText, "")
	if got := c.Next().String(); got != `text ""` {
		t.Errorf("an empty reply: got %s", got)
	}
}

func onesIn(s string) (n int) {
	for _, b := range []byte(s) {
		for ; b != 0; b &= b - 1 {
			n++
		}
	}
	return n
}

func TestFragment(t *testing.T) {
	c := serve(nil).Dial("/echo?fragment=2")
	c.Send(ws.OpText, "abcde")
	want := "\x01\x02ab\x00\x02cd\x80\x01e"
	if got := string(c.Raw()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Send(ws.OpBinary, "abcd")
	if got, want := string(c.Raw()), "\x02\x02ab\x80\x02cd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMute(t *testing.T) {
	counts := new(fault.Counts)
	s := serve(counts)
	c := s.Dial("/echo?mute-pong&mute-close")
	c.Send(ws.OpPing, "p")
	c.Send(ws.OpText, "a")
	c.SendClose(1000, "bye")
	c.Send(ws.OpText, "b")
	if got := c.Frames(); got != `text "a"` {
		t.Errorf("got %s", got)
	}
	if _, ended := c.Ended(); ended {
		t.Error("it has ended")
	}
	for kind, n := range counts.All {
		if want := strings.HasPrefix(kind, "mute-"); (n == 1) != want {
			t.Errorf("%s: %d given", kind, n)
		}
	}
}

// Before the answer to a close frame, and before a close of the route's own, all
// that is held back leaves.
func TestNothingIsLostAtTheClose(t *testing.T) {
	s := serve(nil)
	c := s.Dial("/echo?delay=10s&reorder=1&seed=1")
	c.Send(ws.OpText, "a")
	c.Send(ws.OpText, "b")
	c.Send(ws.OpText, "c")
	c.SendClose(4000, "x")
	if got, want := c.Frames(), `text "b", text "a", text "c", close 4000 "x"`; got != want {
		t.Errorf("the client's: got %s, want %s", got, want)
	}
	c = s.Dial("/echo?delay=10s")
	c.Send(ws.OpText, "Goodbye")
	c.Send(ws.OpText, "late")
	s.Advance(9 * time.Second)
	if got := c.Frames(); got != "" {
		t.Errorf("too early: %s", got)
	}
	s.Advance(2 * time.Second)
	if got, want := c.Frames(), `text "Goodbye", close 1000 ""`; got != want {
		t.Errorf("the route's: got %s, want %s", got, want)
	}
	c = s.Dial("/echo?delay=10s")
	c.Send(ws.OpText, "a")
	c.Write([]byte{0xff, 0x80})
	if got := c.Frames(); !strings.HasPrefix(got, `text "a", close 1002`) {
		t.Errorf("a failure: got %s", got)
	}
}

// A pong does not cut into a frame that has left in part.
func TestRate(t *testing.T) {
	s := serve(nil)
	c := s.Dial("/echo?rate=100")
	c.Send(ws.OpText, strings.Repeat("x", 48)) // 50 bytes: half a second
	var got []byte
	for range 3 {
		s.Advance(100 * time.Millisecond)
		got = append(got, c.Raw()...)
	}
	if len(got) < 25 || len(got) > 40 {
		t.Errorf("got %d bytes in 0.3 s, want about 30", len(got))
	}
	c.Send(ws.OpPing, "1")
	c.Send(ws.OpPing, "2")
	c.Send(ws.OpText, "y")
	s.Advance(time.Second)
	got = append(got, c.Raw()...)
	want := "\x81\x30" + strings.Repeat("x", 48) + "\x8a\x011\x8a\x012\x81\x01y"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is held back is bounded: the connection is not read above the high-water
// mark, and everything comes in the end.
func TestHeldBackIsBounded(t *testing.T) {
	b := fault.Binder{}
	taken := 0
	s := websockettest.NewServer(map[string]websocket.Route{"/": b.Bind(websocket.Route{
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { taken++; return c.Send(op, p) },
		Limits:  websocket.Limits{HighWater: 1000, LowWater: 100},
	}, nil)})
	c := s.Dial("/?delay=10s")
	for range 100 {
		c.Send(ws.OpBinary, strings.Repeat("x", 98))
	}
	if taken != 11 {
		t.Errorf("%d messages were taken, want 11: more than the mark by one", taken)
	}
	s.Advance(5 * time.Minute)
	if n := strings.Count(c.Frames(), "binary"); n != 100 {
		t.Errorf("%d of 100 replies came", n)
	}
	if !c.Idle() || s.Buffers() != 0 || s.Timers() != 0 {
		t.Errorf("it holds %d buffers, %d timers", s.Buffers(), s.Timers())
	}
	c = s.Dial("/?delay=10s")
	c.Send(ws.OpText, "a")
	c.Hangup(websocket.ErrEOF)
	if s.Buffers() != 0 || s.Timers() != 0 {
		t.Errorf("ended, it holds %d buffers, %d timers", s.Buffers(), s.Timers())
	}
}

// Pushes that a route sends from timers are replies, too.
func TestPushes(t *testing.T) {
	b := fault.Binder{}
	var push func(c *websocket.Conn) error
	n := 0
	push = func(c *websocket.Conn) error {
		if n++; c.Send(ws.OpText, fmt.Append(nil, n)) == nil {
			c.After(time.Second, push)
		}
		return nil
	}
	s := websockettest.NewServer(map[string]websocket.Route{"/": b.Bind(websocket.Route{Open: push}, nil)})
	c := s.Dial("/?dup=1&close=1000@3")
	s.Advance(10 * time.Second)
	if got, want := c.Frames(), `text "1", text "1", text "2", text "2", close 1000 ""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHandshake(t *testing.T) {
	s := serve(nil)
	for query, want := range map[string]string{
		"status=503":               "503  ",
		"status=418&retry-after=7": "418 7 ",
		"retry-after=120":          "503 120 ",
		"status=200":               "200  ",
		"status=308&location=/":    "308  /",
		"location=wss://x/y":       "302  wss://x/y",
		"drop=2":                   "400  ",
		"rst=@0":                   "400  ",
		"close=1006":               "400  ",
	} {
		r := s.Dial("/echo?" + query).Response()
		if got := fmt.Sprint(r.StatusCode, " ", r.Header.Get("Retry-After"), " ", r.Header.Get("Location")); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	c := s.Dial("/echo?handshake-delay=5s")
	s.Advance(4 * time.Second)
	if got := c.Raw(); len(got) > 0 {
		t.Errorf("too early: %q", got)
	}
	c.Send(ws.OpText, "already") // behind the request, as an eager client does
	s.Advance(2 * time.Second)
	if got := string(c.Raw()); !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\n\x81\x07already") {
		t.Errorf("got %q", got)
	}
	c = s.Dial("/echo?handshake-delay=5s&status=500")
	s.Advance(6 * time.Second)
	if got := string(c.Raw()); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("got %q", got)
	}
}

func TestOff(t *testing.T) {
	b := fault.Binder{Off: true}
	s := websockettest.NewServer(map[string]websocket.Route{"/": b.Bind(websocket.Route{Message: echo}, []string{"rate"})})
	for query, want := range map[string]int{"": 101, "rate=x&more=1": 101, "drop=0.1": 403, "seed=1": 403, "drop=x": 400} {
		if got := s.Dial("/?" + query).Response().StatusCode; got != want {
			t.Errorf("%s: got %d, want %d", query, got, want)
		}
	}
}

// Connections with a delay have no goroutine and no runtime timer: one entry of
// the wheel each. The gateway's own test has them by the thousand, on sockets.
func TestDelaysCostNoGoroutine(t *testing.T) {
	const n = 1000
	s := serve(nil)
	before := runtime.NumGoroutine()
	clients := make([]*websockettest.Client, n)
	for i := range clients {
		clients[i] = s.Dial("/echo?delay=100ms")
		clients[i].Send(ws.OpText, "x")
	}
	if got := runtime.NumGoroutine(); got > before {
		t.Errorf("%d goroutines, %d before", got, before)
	}
	if s.Timers() != n {
		t.Errorf("%d timers wait, want %d", s.Timers(), n)
	}
	s.Advance(100 * time.Millisecond)
	if slices.ContainsFunc(clients, func(c *websockettest.Client) bool { return c.Next().Payload != "x" }) {
		t.Error("some echo did not come")
	}
}
