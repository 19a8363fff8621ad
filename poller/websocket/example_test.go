package websocket_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

// A handler is a function. It is tested without a socket, by a server that moves
// when it is told to.
func Example() {
	echo := func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

	s := websockettest.NewServer(map[string]websocket.Route{"/echo": {Message: echo}})
	c := s.Dial("/echo")
	fmt.Println(c.Response().Status)
	c.Send(ws.OpText, "hello")
	fmt.Println(c.Next())
	c.SendClose(1000, "bye")
	fmt.Println(c.Next())
	// Output:
	// 101 Switching Protocols
	// text "hello"
	// close 1000 "bye"
}

// An Upgrade that returns Refuse answers the request with a status instead of
// the 101.
func ExampleRefuse() {
	guarded := websocket.Route{
		Upgrade: func(_ *websocket.Conn, r *websocket.Request) error {
			if token, _ := r.Header("Authorization"); token != "Bearer open-sesame" {
				return websocket.Refuse(403, "no such token")
			}
			return nil
		},
		Open: func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("welcome")) },
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/guarded": guarded})
	fmt.Println(s.Dial("/guarded").Response().Status)
	c := s.Dial("/guarded", "Authorization: Bearer open-sesame")
	fmt.Println(c.Response().Status)
	fmt.Println(c.Next())
	// Output:
	// 403 Forbidden
	// 101 Switching Protocols
	// text "welcome"
}

// A function that arranges for itself again pushes on a timer. It ends with its
// connection: nothing has to be stopped.
func ExampleConn_After() {
	var push func(c *websocket.Conn) error
	push = func(c *websocket.Conn) error {
		err := c.Send(ws.OpText, []byte("tick"))
		if errors.Is(err, websocket.ErrBacklog) {
			err = nil // a slow reader misses this one
		}
		c.After(time.Second, push)
		return err
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/clock": {Open: push}})
	c := s.Dial("/clock")
	fmt.Println(c.Frames())
	s.Advance(3 * time.Second)
	fmt.Println(c.Frames())
	c.Hangup(websocket.ErrEOF)
	fmt.Println(s.Timers(), "timers are left")
	// Output:
	// text "tick"
	// text "tick", text "tick", text "tick"
	// 0 timers are left
}

// What blocks runs as a job, off the event loop. The payload dies when the
// handler returns, so the job gets a copy; what the job returns runs on the loop
// again, with the connection.
func ExampleConn_Go() {
	lookup := func(name string) string { return strings.ToUpper(name) } // a database, say
	ask := func(c *websocket.Conn, _ ws.OpCode, p []byte) error {
		name := string(p)
		return c.Go(func() func(*websocket.Conn) error {
			found := lookup(name)
			return func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte(found)) }
		})
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/ask": {Message: ask}})
	c := s.Dial("/ask")
	c.Send(ws.OpText, "ann")
	c.Send(ws.OpText, "bob") // not read before the first is answered
	fmt.Println(c.Frames())
	s.RunJobs()
	fmt.Println(c.Frames())
	// Output:
	//
	// text "ANN", text "BOB"
}

// Attach gives a connection state of its own.
func ExampleConn_Attach() {
	type visitor struct {
		name string
		sent int
	}
	count := websocket.Route{
		Upgrade: func(c *websocket.Conn, r *websocket.Request) error {
			c.Attach(&visitor{name: r.Param("name")})
			return nil
		},
		Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
			v := c.Value().(*visitor)
			v.sent++
			return c.Send(ws.OpText, fmt.Appendf(nil, "%s has sent %d", v.name, v.sent))
		},
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/count/{name}": count})
	ann, bob := s.Dial("/count/ann"), s.Dial("/count/bob")
	ann.Send(ws.OpText, "x")
	ann.Send(ws.OpText, "y")
	bob.Send(ws.OpText, "z")
	fmt.Println(ann.Frames())
	fmt.Println(bob.Frames())
	// Output:
	// text "ann has sent 1", text "ann has sent 2"
	// text "bob has sent 1"
}

// A Handle names a connection for later and for other goroutines, here for
// another connection.
func ExampleHandle_Send() {
	var first websocket.Handle
	relay := websocket.Route{
		Open: func(c *websocket.Conn) error {
			if first == (websocket.Handle{}) {
				first = c.Handle()
			}
			return nil
		},
		Message: func(_ *websocket.Conn, op ws.OpCode, p []byte) error {
			if err := first.Send(op, p); !errors.Is(err, websocket.ErrGone) {
				return err
			}
			return websocket.CloseError{Code: 4001, Reason: "nobody is there"}
		},
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/relay": relay})
	ann, bob := s.Dial("/relay"), s.Dial("/relay")
	bob.Send(ws.OpText, "hello, Ann")
	fmt.Println(ann.Next())
	ann.Hangup(websocket.ErrEOF)
	bob.Send(ws.OpText, "still there?")
	fmt.Println(bob.Next())
	// Output:
	// text "hello, Ann"
	// close 4001 "nobody is there"
}

// What a handler knows of a connection stands in the access log's line of it.
// Gone is the last that it hears, whoever ended the connection.
func ExampleConn_Note() {
	visit := websocket.Route{
		Upgrade: func(c *websocket.Conn, r *websocket.Request) error {
			room, _ := r.Query("room")
			c.Note("room", room)
			return nil
		},
		Message: func(*websocket.Conn, ws.OpCode, []byte) error { return nil },
		Gone:    func(c *websocket.Conn, why websocket.Cause) { c.Note("left", why.String()) },
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/visit": visit})
	c := s.Dial("/visit?room=blue")
	c.Hangup(websocket.ErrEOF)
	fmt.Println(c.Notes())
	// Output:
	// [[room blue] [left eof]]
}
