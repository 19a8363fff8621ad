package websocket_test

import (
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

// obey is a route whose handlers do what a message says.
var obey = map[string]func(c *websocket.Conn) error{
	"close": func(c *websocket.Conn) error { return c.Close(4000, "close") },
	"empty": func(*websocket.Conn) error { return websocket.CloseError{} },
	"return": func(*websocket.Conn) error {
		return fmt.Errorf("wrapped: %w", websocket.CloseError{Code: 4001, Reason: "return"})
	},
	"pause": func(c *websocket.Conn) error {
		c.Pause()
		defer c.Pause() // it is closing: the peer's close frame must be read
		return c.Close(4002, "pause")
	},
	"bad":   func(*websocket.Conn) error { return websocket.CloseError{Code: 1006} },
	"worse": func(*websocket.Conn) error { return websocket.CloseError{Code: 999, Cause: websocket.CauseIdle} },
	"shut": func(c *websocket.Conn) error {
		return c.Shut(websocket.CloseError{Code: 2000, Cause: websocket.CauseIdle})
	},
	"error": func(*websocket.Conn) error { return errors.New("secret") },
	"idle":  func(*websocket.Conn) error { return websocket.ErrIdle },
	"panic": func(*websocket.Conn) error { panic("secret") },
	"fin":   func(c *websocket.Conn) error { c.End(websocket.FIN); return nil },
	"reset": func(c *websocket.Conn) error { c.End(websocket.Reset); return c.Send(ws.OpText, nil) },
}

// ends are the ways in which a connection ends.
var ends = []struct {
	name  string
	do    func(s *websockettest.Server, c *websockettest.Client)
	want  string
	cause websocket.Cause
	close string // what Close was told
}{
	{"Close, answered", says("close", answer), `close 4000 "close"`, websocket.CauseHandler, "handler 4000 close"},
	{"Close, not answered", says("close", hangup(websocket.ErrCloseTimeout)), `close 4000 "close"`, websocket.CauseCloseTimeout, "handler 4000 close"},
	{"Close, then FIN", says("close", hangup(websocket.ErrEOF)), `close 4000 "close"`, websocket.CauseHandler, "handler 4000 close"},
	{"Close of a paused one, answered", says("pause", answer), `close 4002 "pause"`, websocket.CauseHandler, "handler 4002 pause"},
	{"empty CloseError", says("empty", answer), `close ""`, websocket.CauseHandler, "handler 0 "},
	{"CloseError", says("return", answer), `close 4001 "return"`, websocket.CauseHandler, "handler 4001 return"},
	{"CloseError that must not travel", says("bad"), `close 1011 ""`, websocket.CauseHandlerError, "handler_error 1011 "},
	{"CloseError of ours that must not travel", says("worse"), `close 1011 ""`, websocket.CauseHandlerError, "handler_error 1011 "},
	{"Shut with what must not travel", says("shut"), `close 1011 ""`, websocket.CauseHandlerError, "handler_error 1011 "},
	{"error", says("error"), `close 1011 ""`, websocket.CauseHandlerError, "handler_error 1011 "},
	{"error of ours", says("idle"), `close 1008 "idle"`, websocket.CauseIdle, "idle 1008 idle"},
	{"panic", says("panic"), `close 1011 ""`, websocket.CausePanic, "panic 1011 "},
	{"End", says("fin"), "", websocket.CauseHandler, "handler 1006 "},
	{"End, then an error", says("reset"), "", websocket.CauseHandler, "handler 1006 "},
	{"peer closes", says("", closes(1001, "bye")), `text "", close 1001 "bye"`, websocket.CausePeer, "peer 1001 bye"},
	{"peer breaks off", says("", hangup(websocket.ErrReset)), `text ""`, websocket.CauseReset, "reset 1006 connection reset"},
	{"peer errs", says("", writes("\x83")), `text "", close 1002 "use of reserved op code"`, websocket.CauseProtocol, "protocol 1002 use of reserved op code"},
	{"timer", says("", func(s *websockettest.Server, _ *websockettest.Client) { s.Advance(time.Hour) }), `text "", close 1011 ""`, websocket.CauseHandlerError, "handler_error 1011 "},
}

// However a connection ends: what the client gets, what it is counted under, and
// that Close runs once, with the same.
func TestEnds(t *testing.T) {
	for _, test := range ends {
		t.Run(test.name, func(t *testing.T) {
			var closed, gone []string
			s, c := serve(websocket.Route{
				Open: func(c *websocket.Conn) error {
					c.After(time.Hour, func(*websocket.Conn) error { return errors.New("too late") })
					return nil
				},
				Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
					if f := obey[string(p)]; f != nil {
						return f(c)
					}
					return c.Send(op, p)
				},
				Close: func(c *websocket.Conn, e websocket.CloseError) {
					if err := c.Send(ws.OpText, nil); !errors.Is(err, websocket.ErrGone) {
						t.Errorf("Send in Close: got %v", err)
					}
					closed = append(closed, fmt.Sprintf("%s %d %s", e.Cause, e.Code, e.Reason))
				},
				Gone: func(_ *websocket.Conn, counted websocket.Cause) {
					gone = append(gone, fmt.Sprintf("%s after %d", counted, len(closed)))
				},
			})
			test.do(s, c)
			if got := c.Frames(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if cause, ended := c.Ended(); !ended || cause != test.cause || s.Buffers() != 0 || s.Timers() != 0 {
				t.Errorf("ended %v, under %s, want %s; %d buffers, %d timers held", ended, cause, test.cause, s.Buffers(), s.Timers())
			}
			if len(closed) != 1 || closed[0] != test.close {
				t.Errorf("Close ran %d times: %q, want %q", len(closed), closed, test.close)
			}
			if !slices.Equal(gone, []string{test.cause.String() + " after 1"}) {
				t.Errorf("Gone ran %d times: %q, want once, with %s, after Close", len(gone), gone, test.cause)
			}
		})
	}
}

type act = func(s *websockettest.Server, c *websockettest.Client)

// says sends a message and then does the rest.
func says(order string, then ...act) act {
	return func(s *websockettest.Server, c *websockettest.Client) {
		c.Send(ws.OpText, order)
		for _, f := range then {
			f(s, c)
		}
	}
}

func answer(_ *websockettest.Server, c *websockettest.Client) { c.SendClose(1000, "") }

func closes(code ws.StatusCode, reason string) act {
	return func(_ *websockettest.Server, c *websockettest.Client) { c.SendClose(code, reason) }
}

func hangup(why websocket.CloseError) act {
	return func(_ *websockettest.Server, c *websockettest.Client) { c.Hangup(why) }
}

func writes(b string) act {
	return func(_ *websockettest.Server, c *websockettest.Client) { c.Write([]byte(b)) }
}

func boom(*websocket.Conn) error { panic("boom") }

// panics are routes that panic once, in each of the callbacks.
var panics = map[string]struct {
	route  websocket.Route
	want   string
	closes int
}{
	"Upgrade": {websocket.Route{Upgrade: func(*websocket.Conn, *websocket.Request) error { panic("boom") }}, "", 0},
	"Head":    {websocket.Route{Head: func(*websocket.Conn, *websocket.Request, []byte) []byte { panic("boom") }}, "", 0},
	"Open":    {websocket.Route{Open: boom}, `close 1011 ""`, 1},
	"Message": {websocket.Route{Message: func(*websocket.Conn, ws.OpCode, []byte) error { panic("boom") }}, `close 1011 ""`, 1},
	"Message, half done": {websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		_ = c.Send(op, p)
		panic("boom")
	}}, `text "x", close 1011 ""`, 1},
	"Message, closed": {websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		_ = c.Close(4000, "")
		panic("boom")
	}}, `close 4000 ""`, 1},
	"Control": {websocket.Route{Control: func(*websocket.Conn, ws.OpCode, []byte) (bool, error) { panic("boom") }}, `close 1011 ""`, 1},
	"timer":   {websocket.Route{Open: func(c *websocket.Conn) error { c.After(1, boom); return nil }}, `close 1011 ""`, 1},
	"Do":      {websocket.Route{Open: func(c *websocket.Conn) error { return c.Handle().Do(boom) }}, `close 1011 ""`, 1},
	"job": {websocket.Route{Open: func(c *websocket.Conn) error {
		return c.Go(func() func(*websocket.Conn) error { panic("boom") })
	}}, `close 1011 ""`, 1},
	"answer": {websocket.Route{Open: func(c *websocket.Conn) error {
		return c.Go(func() func(*websocket.Conn) error { return boom })
	}}, `close 1011 ""`, 1},
	"Close": {websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Close(4000, "")
	}, Close: func(*websocket.Conn, websocket.CloseError) { panic("boom") }}, `close 4000 ""`, 0},
	"Gone": {websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		c.End(websocket.FIN)
		return nil
	}, Gone: func(*websocket.Conn, websocket.Cause) { panic("boom") }}, "", 1},
}

// F1: a panic in any callback costs that connection, with 1011, and nobody else
// anything. Close runs once where there was an upgrade.
func TestPanics(t *testing.T) {
	for name, test := range panics {
		for _, size := range []int{1, 70000} {
			route, ran := test.route, 0
			if route.Message == nil {
				route.Message = echo
			}
			if route.Close == nil {
				route.Close = func(*websocket.Conn, websocket.CloseError) { ran++ }
			}
			s := websockettest.NewServer(map[string]websocket.Route{"/": route, "/other": {Message: echo}})
			other, c := s.Dial("/other"), s.Dial("/")
			c.Send(ws.OpPing, "")
			if size == 1 {
				c.Send(ws.OpText, "x")
			} else { // in memory of its own
				c.Write(inHalves(strings.Repeat("x", size)))
			}
			s.Advance(time.Second)
			s.RunJobs()
			var e *websocket.PanicError
			if cause, ended := c.Ended(); !ended || name != "Message, closed" && name != "Close" && name != "Gone" && cause != websocket.CausePanic {
				t.Errorf("%s: ended %v, counted under %s", name, ended, cause)
			}
			if !errors.As(c.Err(), &e) || e.Value != "boom" || !strings.Contains(string(e.Stack), "close_test.go") {
				t.Errorf("%s: got %v, want the panic and its stack", name, c.Err())
			}
			got := strings.ReplaceAll(c.Frames(), strings.Repeat("x", size), "x")
			got = strings.TrimPrefix(got, `pong "", `)
			if !strings.HasSuffix(got, test.want) || ran != test.closes || s.Buffers() != 0 || s.Timers() != 0 {
				t.Errorf("%s: got %s, want %s; Close ran %d times; %d buffers held", name, got, test.want, ran, s.Buffers())
			}
			other.Send(ws.OpText, "unharmed")
			if other.Next().Payload != "unharmed" {
				t.Errorf("%s: it cost another connection", name)
			}
		}
	}
}

// Control sees control frames before they are answered.
func TestControl(t *testing.T) {
	var seen []string
	hook := func(result func() (bool, error)) (*websockettest.Server, *websockettest.Client) {
		seen = nil
		return serve(websocket.Route{Message: echo, Control: func(c *websocket.Conn, op ws.OpCode, p []byte) (bool, error) {
			seen = append(seen, websockettest.Frame{Op: op, Payload: string(p)}.String())
			if op == ws.OpPong {
				return true, c.Send(ws.OpText, p) // sent from where it lies
			}
			return result()
		}})
	}
	all := func(c *websockettest.Client) {
		c.Send(ws.OpPing, "1")
		c.Send(ws.OpPong, "2")
		c.Send(ws.OpText, "3")
		c.SendClose(4000, "4")
		c.Send(ws.OpPing, "5")
	}
	for name, test := range map[string]struct {
		result func() (bool, error)
		want   string
		seen   string
		cause  websocket.Cause
	}{
		"not handled": {func() (bool, error) { return false, nil }, `pong "1", text "2", text "3", close 4000 "4"`,
			`ping "1"|pong "2"|close 4000 "4"`, websocket.CausePeer},
		"handled": {func() (bool, error) { return true, nil }, `text "2", text "3"`,
			`ping "1"|pong "2"|close 4000 "4"`, websocket.CausePeer},
		"closes": {func() (bool, error) { return false, websocket.CloseError{Code: 4001} }, `close 4001 ""`,
			`ping "1"`, websocket.CauseHandler},
		"fails": {func() (bool, error) { return false, errors.New("secret") }, `close 1011 ""`,
			`ping "1"`, websocket.CauseHandlerError},
	} {
		s, c := hook(test.result)
		all(c)
		c.Hangup(websocket.ErrEOF)
		if got := c.Frames(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if got := strings.Join(seen, "|"); got != test.seen {
			t.Errorf("%s: saw %s, want %s", name, got, test.seen)
		}
		if cause, ended := c.Ended(); !ended || cause != test.cause || s.Buffers() != 0 {
			t.Errorf("%s: counted under %s, want %s; %d buffers held", name, cause, test.cause, s.Buffers())
		}
	}
}

// A close frame that Control fails on, or answers itself.
func TestControlOfClose(t *testing.T) {
	for name, test := range map[string]struct {
		control func(c *websocket.Conn) (bool, error)
		want    string
		cause   websocket.Cause
	}{
		"fails":  {func(*websocket.Conn) (bool, error) { return false, errors.New("secret") }, `close 1011 ""`, websocket.CauseHandlerError},
		"closes": {func(c *websocket.Conn) (bool, error) { return false, c.Close(4001, "mine") }, `close 4001 "mine"`, websocket.CauseHandler},
		"speaks": {func(c *websocket.Conn) (bool, error) { return false, c.Send(ws.OpText, []byte("bye")) }, `text "bye", close 4000 "x"`, websocket.CausePeer},
	} {
		_, c := serve(websocket.Route{Message: echo, Control: func(c *websocket.Conn, _ ws.OpCode, _ []byte) (bool, error) {
			return test.control(c)
		}})
		c.SendClose(4000, "x")
		if got := c.Frames(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if cause, ended := c.Ended(); !ended || cause != test.cause {
			t.Errorf("%s: ended %v, counted under %s, want %s", name, ended, cause, test.cause)
		}
	}
}

// A ping whose Control closes the connection is not answered; the close
// handshake goes on.
func TestControlCloses(t *testing.T) {
	_, c := serve(websocket.Route{Message: echo, Control: func(c *websocket.Conn, _ ws.OpCode, _ []byte) (bool, error) {
		return false, c.Close(4001, "")
	}})
	c.Send(ws.OpPing, "x")
	if _, ended := c.Ended(); ended || c.Frames() != `close 4001 ""` {
		t.Errorf("ended %v: %v", ended, c.Err())
	}
	c.SendClose(4001, "")
	var e websocket.CloseError
	if _, ended := c.Ended(); !ended || !errors.As(c.Err(), &e) || !e.Peer {
		t.Errorf("ended %v: %v", ended, c.Err())
	}
}

// A refused request is no connection: Close does not run.
func TestNoCloseWithoutUpgrade(t *testing.T) {
	s := websockettest.NewServer(map[string]websocket.Route{"/": {
		Message: echo,
		Upgrade: func(*websocket.Conn, *websocket.Request) error { return websocket.Refuse(403, "no") },
		Close:   func(*websocket.Conn, websocket.CloseError) { t.Error("Close ran") },
		Gone:    func(*websocket.Conn, websocket.Cause) { t.Error("Gone ran") },
	}})
	if c := s.Dial("/"); c.Response().StatusCode != 403 {
		t.Error(c.Response().Status)
	}
	s.Get("/")
}

// Labels are what counters and logs are keyed by.
func TestCauseLabels(t *testing.T) {
	var all []string
	for cause := range websocket.Causes {
		all = append(all, cause.String())
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != int(websocket.Causes) || all[0] == "" {
		t.Errorf("got %q", all)
	}
	e := websocket.CloseError{Code: 4000, Reason: "x", Peer: true, Cause: websocket.CausePeer}
	if got, want := e.Error(), `websocket: closed by peer: peer, code 4000 "x"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
