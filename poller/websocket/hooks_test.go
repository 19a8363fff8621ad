package websocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

// maskedFrame is a client's frame as bytes.
func maskedFrame(op ws.OpCode, fin bool, p string) []byte {
	f := ws.NewFrame(op, fin, []byte(p))
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(f, [4]byte{1, 2, 3, 4}))
}

// conversation is what a client may send: every kind of frame, long ones too.
func conversation() []byte {
	return slices.Concat(
		maskedFrame(ws.OpText, true, "short"), maskedFrame(ws.OpPing, true, "p"), maskedFrame(ws.OpBinary, true, ""),
		maskedFrame(ws.OpText, false, "frag"), maskedFrame(ws.OpPing, true, "q"), maskedFrame(ws.OpContinuation, true, "ment"),
		maskedFrame(ws.OpBinary, true, strings.Repeat("x", 300)), maskedFrame(ws.OpBinary, true, strings.Repeat("y", 70_000)),
		maskedFrame(ws.OpText, true, "last"), maskedFrame(ws.OpClose, true, "\x03\xe8"), maskedFrame(ws.OpText, true, "too late"),
	)
}

// TestWire: however the bytes are cut, and however few of them Wire takes at a
// time, it sees each once and in order, and the replies are those of a plain
// route.
func TestWire(t *testing.T) {
	all := conversation()
	echo := websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }}
	plain := websockettest.NewServer(map[string]websocket.Route{"/": echo}).Dial("/")
	plain.Write(all)
	want := plain.Raw()
	open := len(all) - len(maskedFrame(ws.OpText, true, "too late"))
	for _, cut := range []int{1, 7, 100, 65_000, len(all)} {
		for _, take := range []int{0, 1, 5, 4096, 1 << 20} {
			var seen []byte
			tapped := echo
			tapped.Wire = func(_ *websocket.Conn, b []byte) (int, error) {
				n := min(take, len(b))
				seen = append(seen, b[:max(n, 1)]...)
				return n, nil
			}
			s := websockettest.NewServer(map[string]websocket.Route{"/": tapped})
			c := s.Dial("/")
			for rest := range slices.Chunk(all, cut) {
				c.Write(rest)
			}
			if got := c.Raw(); !bytes.Equal(got, want) {
				t.Fatalf("cut %d, take %d: got %d bytes, want %d", cut, take, len(got), len(want))
			}
			if !bytes.HasPrefix(all, seen) || len(seen) < open {
				t.Errorf("cut %d, take %d: Wire saw %d bytes, want the first %d at least", cut, take, len(seen), open)
			}
			if cause, ended := c.Ended(); cause != websocket.CausePeer || !ended || s.Buffers() != 0 {
				t.Errorf("cut %d, take %d: %v, %t, %d buffers", cut, take, cause, ended, s.Buffers())
			}
		}
	}
}

// A Wire that pauses is not shown more until the resume, and nothing is lost.
func TestWirePauses(t *testing.T) {
	var reads []int
	s := websockettest.NewServer(map[string]websocket.Route{"/": {
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) },
		Wire: func(c *websocket.Conn, b []byte) (int, error) {
			reads = append(reads, len(b))
			c.Pause()
			c.After(time.Second, func(c *websocket.Conn) error { c.Resume(); return nil })
			return 10, nil
		},
	}})
	c := s.Dial("/")
	for range 5 {
		c.Send(ws.OpText, "abcd") // 10 bytes
	}
	if !slices.Equal(reads, []int{10}) {
		t.Errorf("got reads %v, want the first alone", reads)
	}
	s.Advance(time.Minute)
	if got := strings.Count(c.Frames(), `text "abcd"`); got != 5 || !slices.Equal(reads, []int{10, 40, 30, 20, 10}) {
		t.Errorf("got %d echoes, reads %v", got, reads)
	}
	if !c.Idle() {
		t.Error("something is left")
	}
}

// Errors and panics of the hooks end their connection as those of Message do.
func TestHooksFail(t *testing.T) {
	echo := func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }
	shut := func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Close(1000, "") }
	broken := errors.New("broken")
	for name, x := range map[string]struct {
		route websocket.Route
		cause websocket.Cause
		want  string
	}{
		"Wire's error":    {websocket.Route{Message: echo, Wire: func(*websocket.Conn, []byte) (int, error) { return 1, broken }}, websocket.CauseHandlerError, `close 1011 ""`},
		"Wire's panic":    {websocket.Route{Message: echo, Wire: func(*websocket.Conn, []byte) (int, error) { panic(1) }}, websocket.CausePanic, `close 1011 ""`},
		"Wire's End":      {websocket.Route{Message: echo, Wire: func(c *websocket.Conn, _ []byte) (int, error) { c.End(websocket.FIN); return 1, nil }}, websocket.CauseHandler, ``},
		"Sending's error": {websocket.Route{Message: echo, Sending: func(*websocket.Conn, ws.OpCode, []byte) error { return broken }}, websocket.CauseHandlerError, `close 1011 ""`},
		"Sending's panic": {websocket.Route{Message: echo, Sending: func(*websocket.Conn, ws.OpCode, []byte) error { panic(1) }}, websocket.CausePanic, `close 1011 ""`},
		"Closing's panic": {websocket.Route{Message: shut, Closing: func(*websocket.Conn, websocket.CloseError) bool { panic(1) }}, websocket.CausePanic, `close 1011 ""`},
		"Sending's Send": {websocket.Route{Message: echo, Sending: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			return errors.Join(c.Send(op, p), c.Close(4000, ""))
		}}, websocket.CauseHandler, `text "a", close 4000 ""`},
		"Closing's Close": {websocket.Route{Message: shut, Closing: func(c *websocket.Conn, _ websocket.CloseError) bool { return c.Close(4000, "") == nil }}, websocket.CauseHandler, `close 4000 ""`},
		"Closing's End":   {websocket.Route{Message: shut, Closing: func(c *websocket.Conn, _ websocket.CloseError) bool { c.End(websocket.FIN); return false }}, websocket.CauseHandler, ``},
		"Closing's Send":  {websocket.Route{Message: shut, Closing: func(c *websocket.Conn, _ websocket.CloseError) bool { return c.Send(ws.OpText, []byte("x")) != nil }}, websocket.CauseHandler, `text "x", close 1000 ""`},
	} {
		c := websockettest.NewServer(map[string]websocket.Route{"/": x.route}).Dial("/")
		c.Send(ws.OpText, "a")
		got := c.Frames()
		c.Hangup(websocket.ErrEOF)
		if cause, _ := c.Ended(); cause != x.cause || got != x.want {
			t.Errorf("%s: got %s, %v, want %s, %v", name, got, cause, x.want, x.cause)
		}
	}
}

// Closing hears of every close frame of ours; it puts off none but a handler's.
func TestClosing(t *testing.T) {
	var causes []websocket.Cause
	s := websockettest.NewServer(map[string]websocket.Route{"/": {
		Message: func(c *websocket.Conn, _ ws.OpCode, p []byte) error {
			switch string(p) {
			case "close":
				return c.Close(1000, "")
			case "idle":
				return c.Shut(websocket.ErrIdle)
			}
			return errors.New("fails")
		},
		Closing: func(_ *websocket.Conn, e websocket.CloseError) bool { causes = append(causes, e.Cause); return true },
	}})
	for text, want := range map[string]string{"close": "", "idle": `close 1008 "idle"`, "": `close 1011 ""`} {
		c := s.Dial("/")
		c.Send(ws.OpText, text)
		if got := c.Frames(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	slices.Sort(causes)
	if want := []websocket.Cause{websocket.CauseHandler, websocket.CauseHandlerError, websocket.CauseIdle}; !slices.Equal(causes, want) {
		t.Errorf("got %v, want %v", causes, want)
	}
	c := s.Dial("/")
	c.SendClose(4000, "")
	if got := c.Frames(); got != `close 4000 ""` || len(causes) != 3 {
		t.Errorf("the client's own: got %s, %v", got, causes)
	}
}

// What is held counts as unsent output.
func TestHold(t *testing.T) {
	var held [][]byte
	s := websockettest.NewServer(map[string]websocket.Route{"/": {
		Message: func(c *websocket.Conn, _ ws.OpCode, p []byte) error { held = append(held, c.Hold(p)); return nil },
		Close: func(c *websocket.Conn, _ websocket.CloseError) {
			for _, b := range held {
				c.Free(b)
			}
		},
		Open: func(c *websocket.Conn) error {
			c.After(time.Second, func(c *websocket.Conn) error {
				if err := c.Send(ws.OpText, nil); !errors.Is(err, websocket.ErrBacklog) {
					t.Errorf("a push above the mark: got %v", err)
				}
				return c.Pass(ws.OpText, held[0])
			})
			return nil
		},
		Limits: websocket.Limits{HighWater: 10},
	}})
	c := s.Dial("/")
	c.Send(ws.OpText, strings.Repeat("x", 11))
	s.Advance(time.Second)
	if got := c.Frames(); got != `text "xxxxxxxxxxx"` || s.Buffers() != 1 {
		t.Errorf("got %s, %d buffers", got, s.Buffers())
	}
	c.Hangup(websocket.ErrEOF)
	if s.Buffers() != 0 {
		t.Errorf("%d buffers are left", s.Buffers())
	}
}

// Use changes what a connection's hooks are, in Upgrade and later.
func TestUseChangesHooks(t *testing.T) {
	twice := websocket.Route{
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			if string(p) == "plain" {
				c.Use(&websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }})
				return nil
			}
			return c.Send(op, p)
		},
		Sending: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			return errors.Join(c.Pass(op, p), c.Pass(op, p))
		},
	}
	s := websockettest.NewServer(map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, _ ws.OpCode, p []byte) error {
		c.Use(&twice)
		return c.Send(ws.OpText, p)
	}}})
	c := s.Dial("/")
	for _, text := range []string{"a", "b", "plain", "c"} {
		c.Send(ws.OpText, text)
	}
	if got, want := c.Frames(), `text "a", text "a", text "b", text "b", text "c"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !c.Idle() {
		t.Error("something is left")
	}
}

func TestChoose(t *testing.T) {
	s := websockettest.NewServer(map[string]websocket.Route{"/": {
		Upgrade:   func(c *websocket.Conn, r *websocket.Request) error { v, _ := r.Query("p"); c.Choose(v); return nil },
		Message:   func(*websocket.Conn, ws.OpCode, []byte) error { return nil },
		Protocols: []string{"*"},
	}})
	for _, want := range []string{"b", "", "other"} {
		if got := s.Dial("/?p="+want, "Sec-WebSocket-Protocol: a, b").Response().Header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var panicked *websocket.PanicError
	if err := s.Dial("/?p=no+token").Err(); !errors.As(err, &panicked) {
		t.Errorf("a bad subprotocol: got %v", err)
	}
}

// An alias takes its parameters behind the request's, may take a route's place,
// and stands for the one that was there.
func TestAlias(t *testing.T) {
	table := map[string]websocket.Route{
		"/a": {HTTP: func(w *websocket.Response, r *websocket.Request) error {
			x, _ := r.Query("x")
			w.Body = fmt.Appendf(nil, "a %s %s %s", x, r.Pattern(), r.Path())
			return nil
		}},
		"/b/{name}": {HTTP: func(w *websocket.Response, r *websocket.Request) error {
			w.Body = []byte("b " + r.Param("name"))
			return nil
		}},
		"/c/{rest...}": {HTTP: func(w *websocket.Response, r *websocket.Request) error {
			w.Body = []byte("c " + r.Param("rest"))
			return nil
		}},
	}
	routes, err := websocket.Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	aliased, err := routes.Alias(map[string]string{"/a": "/b/old", "/more": "/a?x=1", "/deep": "/c/d/e", "/c/own": "/a", "/b/{x}": "/b/one", "/{any...}": "/a?x=3"})
	if err != nil {
		t.Fatal(err)
	}
	s := websockettest.NewServerOf(aliased)
	for target, want := range map[string]string{
		"/a": "b old", "/more": "a 1 /more /more", "/more?x=2&y": "a 2 /more /more", "/deep": "c d/e", "/b/x": "b one", "/c/own": "a  /c/own /c/own", "/c/d": "c d",
		"/": "a 3 /{any...} /", "/b/x/y": "a 3 /{any...} /b/x/y",
	} {
		r := s.Get(target)
		body := make([]byte, 100)
		n, _ := r.Body.Read(body)
		if got := string(body[:n]); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
	for path, target := range map[string]string{"/x": "/nowhere", "x": "/a", "/{x": "/a", "/{x...}/y": "/a", "/x?y": "/a", "/x#": "/a", "": "/a"} {
		if _, err := routes.Alias(map[string]string{path: target}); err == nil {
			t.Errorf("alias %q of %q was taken", path, target)
		}
	}
	if _, err := routes.Alias(map[string]string{"/b/{x}": "/a", "/b/{y}": "/a"}); err == nil {
		t.Error("two aliases for the same paths were taken")
	}
	if pattern, ok := routes.Match("/b/x"); pattern != "/b/{name}" || !ok {
		t.Errorf("got %q, %t", pattern, ok)
	}
	if _, ok := routes.Match("/b"); ok {
		t.Error("a path without a route has one")
	}
	if got, want := aliased.Patterns(), []string{"/a", "/b/{x}", "/c/own", "/c/{rest...}", "/deep", "/more", "/{any...}"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
