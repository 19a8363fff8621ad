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

// serve is a server of one route and a client of it.
func serve(r websocket.Route) (*websockettest.Server, *websockettest.Client) {
	s := websockettest.NewServer(map[string]websocket.Route{"/": r})
	return s, s.Dial("/")
}

func echo(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

// masked is a client's frame.
func masked(op ws.OpCode, fin bool, p string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewFrame(op, fin, []byte(p)), [4]byte{9, 8, 7, 6}))
}

// inHalves is a text in two fragments with a ping between.
func inHalves(p string) []byte {
	half := len(p) / 2
	return slices.Concat(masked(ws.OpText, false, p[:half]), masked(ws.OpPing, true, ""), masked(ws.OpContinuation, true, p[half:]))
}

// sends are the ways in which a handler may answer a message; want says what
// the client gets for one.
var sends = []struct {
	name    string
	message func(c *websocket.Conn, op ws.OpCode, p []byte) error
	want    func(p string) []string
}{
	{"nothing", func(*websocket.Conn, ws.OpCode, []byte) error { return nil },
		func(string) []string { return nil }},
	{"itself", echo,
		func(p string) []string { return []string{"text " + p} }},
	{"itself as binary", func(c *websocket.Conn, _ ws.OpCode, p []byte) error { return c.Send(ws.OpBinary, p) },
		func(p string) []string { return []string{"binary " + p} }},
	{"itself twice", func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return errors.Join(c.Send(op, p), c.Send(op, p))
	},
		func(p string) []string { return []string{"text " + p, "text " + p} }},
	{"a copy", func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, bytes.Clone(p)) },
		func(p string) []string { return []string{"text " + p} }},
	{"another, then itself", func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return errors.Join(c.Send(op, []byte("another")), c.Send(op, p))
	}, func(p string) []string { return []string{"text another", "text " + p} }},
	{"itself, then another", func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return errors.Join(c.Send(op, p), c.Send(op, []byte("another")))
	}, func(p string) []string { return []string{"text " + p, "text another"} }},
	{"its beginning", func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p[:len(p)-1]) },
		func(p string) []string { return []string{"text " + p[:len(p)-1]} }},
	{"its end", func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p[1:]) },
		func(p string) []string { return []string{"text " + p[1:]} }},
	{"changed in place", func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		p[0] = '!'
		return c.Send(op, p)
	}, func(p string) []string { return []string{"text !" + p[1:]} }},
	{"grown", func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, append(p, '!')) },
		func(p string) []string { return []string{"text " + p + "!"} }},
	{"nothing in it", func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, nil) },
		func(string) []string { return []string{"text "} }},
	{"raw frames", func(c *websocket.Conn, _ ws.OpCode, p []byte) error {
		return c.SendRaw(append(ws.MustCompileFrame(ws.NewFrame(ws.OpText, false, p)), 0x80, 1, '.'))
	}, func(p string) []string { return []string{"text " + p, "continuation ."} }},
	{"itself around a ping", func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return errors.Join(c.Send(op, p), c.Ping(), c.Send(op, p))
	}, func(p string) []string {
		return []string{"text " + p, "ping \x00\x00\x00\x00\x00\x00\x00\x00", "text " + p}
	}},
	{"flushed", func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return errors.Join(c.Send(op, bytes.Clone(p)), c.Flush(), c.Send(op, []byte("behind")), c.Flush())
	}, func(p string) []string { return []string{"text " + p, "text behind"} }},
}

// Whatever a handler sends, however its messages came, it arrives in order.
func TestSends(t *testing.T) {
	for _, test := range sends {
		for _, size := range []int{3, 125, 126, 70000, 140000} {
			a, b := strings.Repeat("a", size-1)+"-", strings.Repeat("b", size-1)+"-"
			want := slices.Concat(test.want(a), test.want(b), []string{"pong "}, test.want(a), []string{"pong end"})
			in := slices.Concat(masked(ws.OpText, true, a), masked(ws.OpText, true, b), inHalves(a), masked(ws.OpPing, true, "end"))
			for _, piece := range []int{len(in), size/3 + 1, 30000, 65536} {
				s, c := serve(websocket.Route{Message: test.message})
				for b := range slices.Chunk(in, piece) {
					c.Write(b)
				}
				if got := frames(c); !slices.Equal(got, want) {
					t.Errorf("%s, %d bytes in pieces of %d: got %.200q, want %.200q", test.name, size, piece, got, want)
				}
				if err := c.Err(); err != nil || !c.Idle() || s.Buffers() != 0 {
					t.Errorf("%s, %d bytes in pieces of %d: %v, holds %d buffers", test.name, size, piece, err, s.Buffers())
				}
			}
		}
	}
}

func frames(c *websockettest.Client) (all []string) {
	for f := c.Next(); f != (websockettest.Frame{}); f = c.Next() {
		name, _, _ := strings.Cut(f.String(), ` "`)
		all = append(all, name+" "+f.Payload)
	}
	return all
}

// What a handler may still do once it has closed the connection: nothing.
func TestSendAfterClose(t *testing.T) {
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		if err := c.Close(1016, ""); err == nil || !c.State().Open() {
			t.Error("code 1016 was sent")
		}
		if err := c.Close(4000, "done"); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{
			"Send": c.Send(op, p), "Ping": c.Ping(), "Close": c.Close(4001, ""), "Shut": c.Shut(websocket.ErrIdle),
		} {
			if !errors.Is(err, websocket.ErrGone) {
				t.Errorf("%s: got %v, want ErrGone", what, err)
			}
		}
		return websocket.CloseError{Code: 4002}
	}})
	c.Send(ws.OpText, "x")
	c.Send(ws.OpText, "dropped")
	c.Send(ws.OpPing, "not answered")
	if _, ended := c.Ended(); ended {
		t.Error("ended before the peer has answered")
	}
	c.SendClose(4000, "done")
	if got, want := c.Frames(), `close 4000 "done"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if cause, ended := c.Ended(); !ended || cause != websocket.CauseHandler || s.Buffers() != 0 {
		t.Error(cause, ended, s.Buffers())
	}
}

// A reason that does not fit is cut between runes.
func TestLongReason(t *testing.T) {
	_, c := serve(websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Close(1000, strings.Repeat("\u00e9", 100))
	}})
	c.Send(ws.OpText, "")
	if got, want := c.Frames(), fmt.Sprintf("close 1000 %q", strings.Repeat("\u00e9", 61)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Replies are never refused: the connection is not read instead. What is sent
// otherwise is, above the high-water mark.
func TestBacklog(t *testing.T) {
	var refused, taken int
	push := func(c *websocket.Conn) error {
		err := c.Send(ws.OpText, []byte("pushed"))
		if raw := c.SendRaw([]byte("\x81\x00")); (raw == nil) != (err == nil) {
			t.Errorf("Send %v, SendRaw %v", err, raw)
		}
		if errors.Is(err, websocket.ErrBacklog) {
			refused++
			return nil
		}
		taken++
		return err
	}
	s, c := serve(websocket.Route{Message: echo, Open: func(c *websocket.Conn) error {
		c.After(time.Second, push)
		c.After(2*time.Second, push)
		return nil
	}, Limits: websocket.Limits{HighWater: 100}})
	c.Stall()
	c.Send(ws.OpText, strings.Repeat("x", 200)) // one message above the mark
	c.Send(ws.OpText, "not read")
	s.Advance(time.Second)
	if refused != 1 || taken != 0 {
		t.Errorf("above the mark: %d refused, %d taken", refused, taken)
	}
	c.Unstall()
	s.Advance(time.Second)
	if refused != 1 || taken != 1 {
		t.Errorf("below the mark: %d refused, %d taken", refused, taken)
	}
	want := []string{"text " + strings.Repeat("x", 200), "text not read", "text pushed", "text "}
	if got := frames(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Frames that came before a Pause took effect are kept, and go on in order.
func TestPause(t *testing.T) {
	var h websocket.Handle
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		h = c.Handle()
		if string(p) == "pause" {
			c.Pause()
		}
		return c.Send(op, p)
	}})
	c.Write(slices.Concat(masked(ws.OpText, true, "pause"), masked(ws.OpText, true, "1"), masked(ws.OpPing, true, "2")))
	c.Send(ws.OpText, "3")
	if got, want := c.Frames(), `text "pause"`; got != want || c.Idle() {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := h.Do(func(c *websocket.Conn) error { c.Resume(); c.Resume(); return nil }); err != nil {
		t.Error(err)
	}
	if got, want := c.Frames(), `text "1", pong "2", text "3"`; got != want || !c.Idle() || s.Buffers() != 0 {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGo(t *testing.T) {
	ran := 0
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, p []byte) error {
		order := string(p)
		job := func() func(*websocket.Conn) error {
			ran++
			switch order {
			case "quiet":
				return nil
			case "panic":
				panic("in a job")
			}
			return func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte(order)) }
		}
		if err := c.Go(job); err != nil {
			return err
		}
		if err := c.Go(job); !errors.Is(err, websocket.ErrBacklog) {
			t.Errorf("a second job: got %v, want ErrBacklog", err)
		}
		return nil
	}})
	for _, order := range []string{"quiet", "a", "b"} {
		c.Send(ws.OpText, order)
	}
	if c.Idle() || ran != 0 {
		t.Errorf("%d jobs ran by themselves", ran)
	}
	s.RunJobs()
	if got, want := c.Frames(), `text "a", text "b"`; got != want || ran != 3 {
		t.Errorf("got %s, want %s; %d jobs", got, want, ran)
	}
	c.Send(ws.OpText, "panic")
	s.RunJobs()
	if got, want := c.Frames(), `close 1011 ""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The answer to a job whose connection has ended meanwhile does not run.
func TestGoAfterTheEnd(t *testing.T) {
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Go(func() func(*websocket.Conn) error { return echoLate })
	}})
	c.Send(ws.OpText, "x")
	c.Hangup(websocket.ErrEOF)
	s.RunJobs()
	if got := c.Frames(); got != "" {
		t.Errorf("got %s after the end", got)
	}
}

func echoLate(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("late")) }

// The backlog may reach the mark in the very read that brings a job its message.
// The job's answer is a reply all the same: never refused.
func TestGoAnswersAboveTheMark(t *testing.T) {
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		if string(p) == "late" {
			return c.Go(func() func(*websocket.Conn) error { return echoLate })
		}
		return c.Send(op, p)
	}, Limits: websocket.Limits{HighWater: 100}})
	c.Stall()
	c.Send(ws.OpText, "in time")
	c.Write(slices.Concat(masked(ws.OpPing, true, strings.Repeat("p", 110)), masked(ws.OpText, true, "late")))
	s.RunJobs()
	c.Unstall()
	want := []string{"text in time", "pong " + strings.Repeat("p", 110), "text late"}
	if got := frames(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Values and routes of their own do not go to the next connection, whose State
// may be in the same place.
func TestAttachAndUse(t *testing.T) {
	other := websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, _ []byte) error {
		return c.Send(op, fmt.Appendf(nil, "other %v %d", c.Value(), c.LimitsOf(c.State()).MaxMessage))
	}, Limits: websocket.Limits{HighWater: 1}}
	s, c := serve(websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		if string(p) == "use" {
			c.Use(&other)
		}
		if string(p) == "attach" {
			c.Attach("mine")
		}
		return c.Send(op, fmt.Appendf(nil, "first %v %s %v", c.Value(), c.Pattern(), c.Remote()))
	}, Limits: websocket.Limits{MaxMessage: 77}})
	for _, p := range []string{"", "attach", "use", "x"} {
		c.Send(ws.OpText, p)
	}
	want := `text "first <nil> / 192.0.2.1:1234", text "first mine / 192.0.2.1:1234", text "first mine / 192.0.2.1:1234", text "other mine 77"`
	if got := c.Frames(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.Hangup(websocket.ErrEOF)
	c = s.Dial("/")
	c.Send(ws.OpText, "x")
	c.Send(ws.OpText, "attach")
	c.Send(ws.OpText, "x")
	if got, want := c.Frames(), `text "first <nil> / 192.0.2.1:1234"`+strings.Repeat(`, text "first mine / 192.0.2.1:1234"`, 2); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A timer whose function fails ends the connection; one that was stopped, or
// whose connection has ended, does not run.
func TestAfter(t *testing.T) {
	s, c := serve(websocket.Route{Open: func(c *websocket.Conn) error {
		c.After(time.Second, func(*websocket.Conn) error { return errors.New("secret") })
		c.After(2*time.Second, echoLate)
		return nil
	}})
	s.Advance(time.Minute)
	if got, want := c.Frames(), `close 1011 ""`; got != want || s.Timers() != 0 {
		t.Errorf("got %s, want %s; %d timers left", got, want, s.Timers())
	}
	if cause, _ := c.Ended(); cause != websocket.CauseHandlerError {
		t.Errorf("counted under %s", cause)
	}
}
