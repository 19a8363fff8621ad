package poller

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// boom panics in a callback that the test case names.
func boom() { panic("boom\nin a handler") }

func boomLater(*websocket.Conn) error { boom(); return nil }

// panics is one Route for each callback, and how a client sees its panic: a
// close code, or 0 for TCP's end alone.
var panics = []struct {
	name   string
	route  websocket.Route
	code   ws.StatusCode
	before bool // of the upgrade
}{
	{"Upgrade", websocket.Route{Message: echoing.Message, Upgrade: func(c *websocket.Conn, _ *websocket.Request) error {
		c.Attach("something")
		boom()
		return nil
	}}, 0, true},
	{"HTTP", websocket.Route{HTTP: func(*websocket.Response, *websocket.Request) error { boom(); return nil }}, 0, true},
	{"Head", websocket.Route{Head: func(*websocket.Conn, *websocket.Request, []byte) []byte { boom(); return nil }}, 0, true},
	{"Open", websocket.Route{Open: func(*websocket.Conn) error { boom(); return nil }}, 1011, false},
	{"Message", websocket.Route{Message: func(*websocket.Conn, ws.OpCode, []byte) error { boom(); return nil }}, 1011, false},
	{"Control", websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Send(ws.OpPing, nil)
	}, Control: func(*websocket.Conn, ws.OpCode, []byte) (bool, error) { boom(); return true, nil }}, 1011, false},
	{"After", websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		c.After(time.Millisecond, boomLater)
		return nil
	}}, 1011, false},
	{"Do", websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error { return c.Handle().Do(boomLater) }}, 1011, false},
	{"job", websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Go(func() func(*websocket.Conn) error { boom(); return nil })
	}}, 1011, false},
	{"answer of a job", websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Go(func() func(*websocket.Conn) error { return boomLater })
	}}, 1011, false},
}

// limits.md F1: a panic in a callback costs its connection and nothing else.
func TestPanic(t *testing.T) {
	t.Parallel()
	for _, x := range panics {
		t.Run(x.name, func(t *testing.T) {
			s := start(t, map[string]websocket.Route{"/": x.route, "/echo": echoing}, func(c *Config) { c.Loops = 1 })
			bystander := s.dial("/echo")
			c := s.connect()
			if x.name == "HTTP" {
				c.write([]byte("GET / HTTP/1.1\r\nHost: test\r\n\r\n"))
			} else {
				c.write([]byte(request("/")))
			}
			if !x.before {
				c.upgraded()
				c.write(masked(ws.OpText, []byte("go"), true))
				c.write(masked(ws.OpPong, nil, true))
				if x.name == "Control" {
					c.want(ws.OpPing, nil)
				}
				c.wantClose(x.code)
			}
			c.wantEOF()
			c.Close()
			bystander.echo("unaffected")
			bystander.Close()
			s.wantClosed(websocket.CausePanic, 1)
			if n := s.log.lines("handler panicked"); n != 1 || s.log.lines("poller.boom") != 1 {
				t.Errorf("got log %q, want one line with the stack", s.log)
			}
		})
	}
}

// A panic in Close leaves the code of the close, and is logged as well.
func TestPanicInClose(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": {
		Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error { return c.Close(4000, "bye") },
		Close:   func(*websocket.Conn, websocket.CloseError) { boom() },
	}}, func(c *Config) { c.Loops = 1 })
	c := s.dial("/")
	c.send(ws.OpClose, closeBody(1000, "")) // the peer's
	c.want(ws.OpClose, closeBody(1000, ""))
	c.wantEOF()
	s.dial("/").Close() // none
	s.until("both gone", func(got Stats) bool { return got.Accepted == 2 && isZero(got) })
	c = s.dial("/")
	c.text("close") // the handler's own
	if op, p, err := c.read(); err == nil && op != ws.OpClose {
		t.Errorf("got opcode %d %q, want a close frame", op, p)
	}
	_ = c.CloseWrite()
	_, _ = io.Copy(io.Discard, c.r)
	s.until("all gone", func(got Stats) bool { return got.Accepted == 3 && isZero(got) })
	if n := s.log.lines("handler panicked"); n != 3 {
		t.Errorf("got %d log lines, want 3", n)
	}
}

// limits.md F1: a storm of panics is not a storm of log lines, and nobody else
// is lost in it.
func TestPanicStorm(t *testing.T) {
	t.Parallel()
	const n = 300
	s := start(t, map[string]websocket.Route{
		"/":     {Open: func(*websocket.Conn) error { boom(); return nil }},
		"/echo": echoing,
	}, func(c *Config) { c.Loops = 1 })
	bystander := s.dial("/echo")
	begun := time.Now()
	for range n {
		c := s.dial("/")
		c.wantClose(1011)
		c.Close()
		bystander.echo("unaffected")
	}
	most := 10 * (2 + int(time.Since(begun)/time.Second))
	bystander.Close()
	s.wantClosed(websocket.CausePanic, n)
	if got := s.log.lines("handler panicked"); got == 0 || got > most {
		t.Errorf("got %d log lines for %d panics, want 1 to %d", got, n, most)
	}
}

// An error of a handler is an end with 1011 too, but no panic; a CloseError has
// its own code.
func TestHandlerErrors(t *testing.T) {
	t.Parallel()
	failing := func(err error) websocket.Route {
		return websocket.Route{Message: func(*websocket.Conn, ws.OpCode, []byte) error { return err }}
	}
	s := start(t, map[string]websocket.Route{
		"/error": failing(errors.New("not for the peer's eyes")),
		"/close": failing(websocket.CloseError{Code: 4321, Reason: "enough"}),
		"/refuse": {Message: echoing.Message, Upgrade: func(*websocket.Conn, *websocket.Request) error {
			return websocket.Refuse(403, "not you")
		}},
	}, nil)
	c := s.dial("/error")
	c.text("x")
	c.want(ws.OpClose, closeBody(1011, ""))
	c.wantEOF()
	c.Close()
	s.wantClosed(websocket.CauseHandlerError, 1)

	c = s.dial("/close")
	c.text("x")
	c.want(ws.OpClose, closeBody(4321, "enough"))
	c.finish(4321)
	s.wantClosed(websocket.CauseHandler, 1)

	c = s.connect()
	c.write([]byte(request("/refuse")))
	if r, err := http.ReadResponse(c.r, nil); err != nil || r.StatusCode != 403 {
		t.Errorf("got %v, %v, want 403", r, err)
	}
	c.Close()
	s.wantClosed(websocket.CauseHTTP, 1)
	if got := s.Stats().Rejected[websocket.RejectHandler]; got != 1 {
		t.Errorf("got %d requests refused by a handler, want 1", got)
	}
}

// limits.md F3: what is sent through the handle of a connection that has ended
// goes nowhere, though its descriptor has another owner by now; many goroutines
// send while connections come and go.
func TestHandleChurn(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[websocket.Handle]
	var wrong atomic.Int64
	s := start(t, map[string]websocket.Route{"/": {
		Open: func(c *websocket.Conn) error {
			h := c.Handle()
			c.Attach(h)
			current.Store(&h)
			return nil
		},
		Message: echoing.Message,
	}}, nil)
	stop, ended := make(chan struct{}), make(chan struct{})
	const senders = 4
	for range senders {
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				h := current.Load()
				if h == nil {
					continue
				}
				_ = h.Send(ws.OpBinary, []byte("pushed"))
				ran := make(chan struct{})
				_ = h.Do(func(c *websocket.Conn) error {
					if c.Value() != *h {
						wrong.Add(1)
					}
					close(ran)
					return nil
				})
				select {
				case <-ran:
				case <-time.After(poll): // it has ended meanwhile
				}
			}
		}()
	}
	for range 100 {
		c := s.dial("/")
		c.want(ws.OpBinary, []byte("pushed"))
		c.reset()
	}
	close(stop)
	for range senders {
		<-ended
	}
	s.until("all gone", func(got Stats) bool { return got.Accepted == 100 && isZero(got) })
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d times a function ran on another connection", n)
	}
	h := current.Load()
	if err := h.Send(ws.OpText, nil); !errors.Is(err, websocket.ErrGone) {
		t.Errorf("Send to one that has ended: got %v, want ErrGone", err)
	}
	if err := h.Do(boomLater); !errors.Is(err, websocket.ErrGone) {
		t.Errorf("Do on one that has ended: got %v, want ErrGone", err)
	}
}

// A descriptor that has a new owner is not the connection that had it before.
func TestReusedDescriptor(t *testing.T) {
	t.Parallel()
	handles := make(chan websocket.Handle, 1)
	s := start(t, map[string]websocket.Route{"/": {
		Open:    func(c *websocket.Conn) error { handles <- c.Handle(); return nil },
		Message: echoing.Message,
	}}, func(c *Config) { c.Loops = 1 })
	seen := make(map[int32]websocket.Handle)
	for range 1000 {
		c := s.dial("/")
		h := receive(t, handles)
		old, reused := seen[h.FD]
		seen[h.FD] = h
		if reused {
			if old == h {
				t.Fatal("two connections have the same handle")
			}
			if err := old.Send(ws.OpText, []byte("for another one")); !errors.Is(err, websocket.ErrGone) {
				t.Errorf("got %v, want ErrGone", err)
			}
			if err := h.Send(ws.OpText, []byte("for this one")); err != nil {
				t.Errorf("got %v, want it sent", err)
			}
			c.wantText("for this one")
			return
		}
		c.Close()
		s.until("the connection gone", func(got Stats) bool { return got.Connections == 0 })
	}
	t.Error("no descriptor was used twice")
}
