package websockettest_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

func echo(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

func serve(r websocket.Route) (*websockettest.Server, *websockettest.Client) {
	s := websockettest.NewServer(map[string]websocket.Route{"/": r})
	return s, s.Dial("/")
}

func TestFrameString(t *testing.T) {
	for f, want := range map[websockettest.Frame]string{
		{}:                                      "nothing",
		{Op: ws.OpText, Payload: "a\n"}:         `text "a\n"`,
		{Op: ws.OpBinary}:                       `binary ""`,
		{Op: ws.OpPong, Payload: "p"}:           `pong "p"`,
		{Op: ws.OpClose}:                        `close ""`,
		{Op: ws.OpClose, Payload: "\x03\xe8ok"}: `close 1000 "ok"`,
		{Op: 11, Payload: "x"}:                  `opcode 11 "x"`,
	} {
		if got := f.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestGet(t *testing.T) {
	s := websockettest.NewServer(map[string]websocket.Route{
		"/page": {HTTP: func(w *websocket.Response, r *websocket.Request) error {
			v, _ := r.Header("X-Name")
			w.Body = []byte("hello, " + v)
			return nil
		}},
		"/echo": {Message: echo},
	})
	for target, want := range map[string]string{"/page": "200 hello, Ann", "/echo": "426 ", "/nowhere": "404 "} {
		r := s.Get(target, "X-Name: Ann")
		body, err := io.ReadAll(r.Body)
		if got := r.Status[:4] + string(body); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, %v", target, got, err)
		}
	}
	if s.Buffers() != 0 {
		t.Errorf("%d buffers are held", s.Buffers())
	}
}

// Refused, cut off before an answer, and answered with what is no HTTP.
func TestNoUpgrade(t *testing.T) {
	_, c := serve(websocket.Route{Message: echo, Origins: []string{"https://example.com"}})
	if c.Response().StatusCode != 101 {
		t.Error(c.Response().Status)
	}
	_, c = serve(websocket.Route{Message: echo, Upgrade: func(*websocket.Conn, *websocket.Request) error {
		return websocket.Refuse(429, "too many")
	}})
	var refused *websocket.Refusal
	if cause, ended := c.Ended(); c.Response().StatusCode != 429 || !ended || cause != websocket.CauseHTTP || !errors.As(c.Err(), &refused) {
		t.Error(c.Response().Status, cause, ended, c.Err())
	}
	_, c = serve(websocket.Route{Message: echo, Upgrade: func(c *websocket.Conn, _ *websocket.Request) error {
		c.End(websocket.Reset)
		return nil
	}})
	if _, ended := c.Ended(); c.Response() != nil || !ended {
		t.Error(c.Response(), ended)
	}
	_, c = serve(websocket.Route{Message: echo, Head: func(_ *websocket.Conn, _ *websocket.Request, out []byte) []byte {
		return append(out, "raw"...)
	}})
	if c.Response() != nil || string(c.Raw()) != "raw" || len(c.Raw()) > 0 {
		t.Error(c.Response())
	}
}

func TestNewServerPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a bad table was taken")
		}
	}()
	websockettest.NewServer(map[string]websocket.Route{"no slash": {Message: echo}})
}

// A client that does not read is not read above the high-water mark, and gets
// everything in order when it reads again.
func TestStall(t *testing.T) {
	var h websocket.Handle
	s, c := serve(websocket.Route{
		Open:    func(c *websocket.Conn) error { h = c.Handle(); return nil },
		Message: echo,
		Limits:  websocket.Limits{HighWater: 10},
	})
	c.Stall()
	for _, p := range []string{"1234567", "2345678", "3456789"} {
		c.Send(ws.OpText, p)
	}
	if got := c.Frames(); got != "" || c.Idle() {
		t.Errorf("got %s from a connection that is not read", got)
	}
	if err := h.Send(ws.OpText, []byte("more")); !errors.Is(err, websocket.ErrBacklog) {
		t.Errorf("got %v, want ErrBacklog", err)
	}
	c.Unstall()
	if got, want := c.Frames(), `text "1234567", text "2345678", text "3456789"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := h.Send(ws.OpText, []byte("more")); err != nil || c.Next().Payload != "more" {
		t.Error(err)
	}
	if !c.Idle() || s.Buffers() != 0 {
		t.Errorf("it holds %d buffers", s.Buffers())
	}
}

func TestClock(t *testing.T) {
	var got []time.Duration
	var s *websockettest.Server
	note := func(*websocket.Conn) error { got = append(got, s.Now()); return nil }
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		c.After(3*time.Second, note)
		c.After(time.Second, func(c *websocket.Conn) error {
			c.After(time.Second, note)
			return note(c)
		})
		late := c.After(2*time.Second, note)
		if !late.Stop() || late.Stop() || (websocket.Timer{}).Stop() {
			t.Error("Stop is wrong about what is still to run")
		}
		return nil
	}})
	c.Send(ws.OpText, "")
	s.Advance(10 * time.Second)
	want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
	if !slices.Equal(got, want) || s.Now() != 10*time.Second || s.Timers() != 0 {
		t.Errorf("got %v, want %v; now %v, %d left", got, want, s.Now(), s.Timers())
	}
}

// The budget of control frames begins anew every 10 s.
func TestControlBudget(t *testing.T) {
	s, c := serve(websocket.Route{Message: echo, Limits: websocket.Limits{MaxControlRate: 2}})
	for range 3 {
		c.Send(ws.OpPing, "a")
		c.Send(ws.OpPing, "b")
		s.Advance(10 * time.Second)
	}
	c.Send(ws.OpPing, "c")
	c.Send(ws.OpPing, "d")
	c.Send(ws.OpPing, "e")
	want := strings.Repeat(`pong "a", pong "b", `, 3) + `pong "c", pong "d", close 1008 "too many control frames"`
	if got := c.Frames(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Handles serve other goroutines.
func TestHandles(t *testing.T) {
	handles := make(chan websocket.Handle, 2)
	s, c := serve(websocket.Route{Open: func(c *websocket.Conn) error { handles <- c.Handle(); return nil }})
	h := <-handles
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if err := h.Send(ws.OpBinary, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	s.Dial("/")
	wg.Wait()
	if got := strings.Count(c.Frames(), `binary "x"`); got != 40 {
		t.Errorf("got %d messages, want 40", got)
	}
	if err := h.Do(func(c *websocket.Conn) error { return c.Close(4000, "done") }); err != nil {
		t.Error(err)
	}
	c.SendClose(4000, "")
	if cause, ended := c.Ended(); c.Next().String() != `close 4000 "done"` || !ended || cause != websocket.CauseHandler {
		t.Error(cause, ended)
	}
	if err := h.Send(ws.OpText, nil); !errors.Is(err, websocket.ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
	if err := h.Do(nil); !errors.Is(err, websocket.ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
}
