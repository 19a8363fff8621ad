package websocket_test

import (
	"fmt"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

// Wire sees bytes before they are frames, cut as the reads cut them, those of a
// frame that will be refused too.
func ExampleRoute_wire() {
	sniffed := websocket.Route{
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) },
		Wire: func(c *websocket.Conn, b []byte) (int, error) {
			fmt.Printf("read %x\n", b)
			return len(b), nil
		},
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/sniffed": sniffed})
	c := s.Dial("/sniffed")
	c.Write([]byte{0x81, 0x82, 0, 0, 0})
	c.Write([]byte{0, 'h', 'i'})
	fmt.Println(c.Next())
	c.Write([]byte{0xf1, 0x80}) // with reserved bits
	fmt.Println(c.Next())
	// Output:
	// read 8182000000
	// read 006869
	// text "hi"
	// read f180
	// close 1002 "non-zero rsv bits with no extension negotiated"
}

// Sending has all that a route sends, here to send it a second later; Closing
// keeps the close frame behind it.
func ExampleRoute_sending() {
	var late []byte
	send := func(c *websocket.Conn) error {
		err := c.PassRaw(late)
		c.Free(late)
		late = nil
		return err
	}
	slow := websocket.Route{
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			if err := c.Send(op, p); err != nil {
				return err
			}
			return c.Close(1000, "that was all")
		},
		Sending: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			late = c.Hold(websocket.AppendFrame(nil, op, p))
			c.After(time.Second, send)
			return nil
		},
		Closing: func(c *websocket.Conn, e websocket.CloseError) bool {
			if late == nil {
				return false
			}
			c.After(time.Second, func(c *websocket.Conn) error { return c.Close(e.Code, e.Reason) })
			return true
		},
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/slow": slow})
	c := s.Dial("/slow")
	c.Send(ws.OpText, "hello")
	fmt.Println(c.Next())
	s.Advance(time.Second)
	fmt.Println(c.Next())
	fmt.Println(c.Next())
	// Output:
	// nothing
	// text "hello"
	// close 1000 "that was all"
}

// A handshake that has to wait costs an entry of the loop's wheel.
func ExampleConn_Wait() {
	late := websocket.Route{
		Upgrade: func(c *websocket.Conn, _ *websocket.Request) error { return c.Wait(3 * time.Second) },
		Open:    func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("at last")) },
	}

	s := websockettest.NewServer(map[string]websocket.Route{"/late": late})
	c := s.Dial("/late")
	fmt.Println(len(c.Raw()), "bytes")
	s.Advance(3 * time.Second)
	fmt.Printf("%.34s\n", c.Raw())
	// Output:
	// 0 bytes
	// HTTP/1.1 101 Switching Protocols
}

// An alias is a path that stands for another, with parameters of its own.
func ExampleRoutes_Alias() {
	routes, _ := websocket.Compile(map[string]websocket.Route{
		"/hello/{name}": {HTTP: func(w *websocket.Response, r *websocket.Request) error {
			greeting, _ := r.Query("greeting")
			w.Body = fmt.Appendf(nil, "%s, %s", greeting, r.Param("name"))
			return nil
		}},
	})
	routes, err := routes.Alias(map[string]string{"/ann": "/hello/Ann?greeting=Good+day"})
	fmt.Println(routes.Patterns(), err)
	_, err = routes.Alias(map[string]string{"/bob": "/nowhere"})
	fmt.Println(err)
	// Output:
	// [/ann /hello/{name}] <nil>
	// websocket: alias "/bob" of "/nowhere": no such route
}
