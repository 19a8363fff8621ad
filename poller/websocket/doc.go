// Package websocket is RFC 6455 on bytes: what a server's connection makes of
// the bytes that were read, and which bytes its peer must get. It has no socket,
// no goroutine, no clock and no log; package poller moves the bytes.
//
// A handler is a line of a table and a function:
//
//	routes, err := websocket.Compile(map[string]websocket.Route{
//		"/echo": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
//			return c.Send(op, p)
//		}},
//	})
//
// # The walk of a frame
//
// An event loop reads what a socket has into its one buffer and calls
// [Conn.Receive]. For every frame in it the header is parsed where it lies, the
// payload unmasked in place and, for text, checked to be UTF-8; a whole message
// goes to the route's Message function. If that sends back the payload it was
// handed, the server's header is written in front of it, where it lies. What
// Receive returns leaves with one write. Nothing was copied or allocated.
//
// The handshake walks the same way: while no 101 was sent, Receive looks for the
// end of a request's head, refuses or finds the route, and goes on to the frames
// that came behind it.
//
// A frame that is not whole yet stays with the mover, at most 64 KiB of it;
// longer ones and fragments are put together in memory of their own, which grows
// with what has arrived and not with what was announced. [Conn.Room] lets the
// mover read into it.
//
// # Who owns what
//
// A connection belongs to one loop, and everything about it happens there, one
// thing at a time: no handler needs a lock for what is its connection's own. So
// a handler must not block, or every connection of the loop waits; [Conn.Go]
// takes what does.
//
// A [Conn] is a view, made for the event. It, a [Request] and the payload are
// dead when the handler returns: the next event overwrites them, and under -race
// the payload at once, so that a test sees who kept one. What may be kept is
// [Conn.Handle], which other goroutines may send through, and what
// [Conn.Attach] was given. After Send(p) the handler must not write to p: it
// leaves from where it lies.
//
// While a connection is idle its [State] is all there is of it, 16 bytes without
// a pointer in the mover's table. [Work] exists while something is unfinished.
//
// # How a connection ends
//
// A handler that returns a [CloseError] begins the close handshake with its code
// and reason; any other error, or a panic, ends the connection with code 1011
// and costs nobody else anything. What the peer does wrong ends it with the code
// that RFC 6455 §7.4.1 has for it, at the byte that proves it: what was whole
// before is answered, what follows is not looked at. Each connection ends for
// exactly one [Cause], which is what it is counted under. Route.Close runs once
// for each that got its 101, whatever ended it.
//
// A peer that reads too slowly is not read either, above [Limits].HighWater:
// replies are never refused, so nothing is lost and TCP pushes back. What is sent
// outside Message and Control gets [ErrBacklog] there, and can wait or be
// dropped.
//
// # Testing a handler
//
// Package [echogate/poller/websocket/websockettest] has a server without sockets and with a clock set by
// hand. The examples here are tests of that kind.
//
// # Conformance
//
// Every frame rule of RFC 6455 is kept, and tested by the case ids of the
// Autobahn suite. Where that suite and the RFC leave a choice:
//
//   - a close frame whose reason is not UTF-8 gets 1007;
//   - codes 1012 to 1014, registered with IANA since, are accepted; 1004 to 1006,
//     1015 and what is not assigned are not;
//   - after our close frame data is read and dropped until the peer's comes, and
//     pings are no longer answered;
//   - messages over the limit get 1009 from their header alone, and 1008 ends
//     those of too many fragments and too many control frames;
//   - of extensions there is permessage-deflate (RFC 7692), where a route agrees
//     on it; no other offer is answered, and other RSV bits get 1002.
//
// # Compression
//
// [Route.Compression] and [Routes.Deflate] switch permessage-deflate on. Both sides
// begin each message anew (no context takeover): so a loop has one compressor and
// one decompressor, and a connection, which costs three bits of its State, none.
// A handler does not see it: messages come to it inflated, held against
// [Limits].MaxMessage while they are, and Send compresses what is long enough.
// What goes past Send, [Conn.SendRaw] and Route.Wire, is bytes as they travel.
package websocket
