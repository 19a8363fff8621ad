// Package websockettest tests handlers without a socket: a Server is one event
// loop that moves only when the test says so, with a clock set by hand, and a
// Client is one connection to it.
//
// Everything happens in the test's own goroutine, in the call that causes it: a
// message is handled when Client.Send returns, a timer of Conn.After runs in
// Server.Advance, a job of Conn.Go in Server.RunJobs. So a test needs no sleep,
// no port and no lock, and its outcome is the same every time.
//
//	s := websockettest.NewServer(map[string]websocket.Route{"/echo": {Message: echo}})
//	c := s.Dial("/echo")
//	c.Send(ws.OpText, "hello")
//	if got := c.Next().String(); got != `text "hello"` {
//		t.Errorf("got %s", got)
//	}
//
// What runs is the protocol itself, handshake, frames and limits included; what
// is missing is what package poller adds to it: TCP, and the deadlines (nobody
// is pinged, idle, or too late). A Handle may be used from other goroutines; what
// was sent through it happens when the test next calls the Server or a Client.
package websockettest
