// Package poller is a WebSocket server on event loops: it holds very large
// numbers of connections, mostly idle ones, without a goroutine, a timer, a
// buffer or a pointer for any of them. It runs on Linux.
//
// A Server is made of a Config, whose routing table says what happens on which
// path; New opens the listeners, Run serves until its context ends, and then
// drains. What handlers see of a connection is package websocket's Conn.
//
// # The walk of a frame
//
//	            accept4                     read into the loop's one buffer
//	listener ────────────► slot in table ──────────────────────────────────┐
//	                                                                       ▼
//	   route table ◄── HTTP head ◄──────────────────────── websocket.Conn.Receive
//	        │                                                              │
//	        └── handler(c, op, payload) ◄── frame: unmasked in place ◄─────┘
//	                  │
//	                  └── c.Send ──► header in front of the payload ──► one send per read
//
// An event is one read and one write. The payload that a handler is given lies
// where it was read, and a reply that is this payload leaves from there: no
// copy, no allocation. What the socket does not take is the connection's
// backlog, and is sent when there is room.
//
// # Owners and lifetimes
//
// Each loop is a goroutine that owns its connections: their handlers run on it,
// one at a time, without locks. A Conn and a payload are views made for the
// event and dead when the handler returns. Built with -race, payloads are
// overwritten then, and another goroutine's use of a Conn is found out. What may
// be kept and sent to from anywhere, for as long as anybody likes, is
// Conn.Handle.
//
// An idle connection is a slot of 48 bytes in a table that is indexed by its
// descriptor. What is unfinished (half a frame, a message under assembly, a
// backlog, a timer) is working state beside it, which goes back when it is
// finished. All deadlines of a loop are entries of one timing wheel, which turns
// every 10 ms.
//
// A loop waits in gnet's netpoll. While it is brisk, and the runtime has more
// processors than there are loops (GOMAXPROCS), it waits without giving up its
// processor instead, which is cheaper.
//
// # What blocks, and what bounds it
//
// A handler must not block: every other connection of its loop would wait.
// Conn.Go runs what does on a bounded pool, Config.Jobs at once, and the
// connection is not read until its job has answered. Nothing else waits for
// anybody: Handle.Send, Handle.Do and Server.Each leave something in a loop's
// mailbox and return.
//
// A peer that does not read fills its backlog. Above Limits.HighWater its
// connection is not read until the backlog is below Limits.LowWater, so that
// TCP pushes back to it, and a Handle's sends fail with ErrBacklog; one that
// takes nothing for Limits.StallTimeout is cut. A connection that has more to
// read than one read takes stands at the back of a queue. All buffers together
// are bounded by Config.MaxBuffered, connections by Config.MaxConnections; above
// that, requests are refused with 503. When descriptors run out accepting
// pauses, and resumes by itself.
//
// # TLS
//
// With Config.TLS a connection begins with a handshake of crypto/tls, which knows
// blocking connections alone. It runs in a coroutine that is suspended inside its
// reads, and its steps run on a small pool, so that a signature keeps no loop;
// above what may wait for the pool newcomers are closed. Afterwards a read that
// finds no whole record says so with an error that crypto/tls does not remember,
// and is made again when more has come. An idle connection has its keys, about 6
// KB, and no goroutine; a record that is not whole is kept as an unfinished frame
// is. Its working state stays for life: that is how the walk above never asks
// whether a connection is one of TLS, and comes to one of its own for those that
// are (tls_walk.go). Everything it reads is decrypted into the
// loop's buffer, and everything it sends, the backlog too, is encrypted on the
// loop, in the order in which it is sent.
//
// # Ends
//
// A panic in a handler costs its own connection, which closes with 1011. When
// Run's context ends, listeners close and connections are sent away with 1001
// over Config.Drain; what is left at Config.DrainTimeout is cut. Then no
// goroutine and no descriptor is left. To restart without a refused connect,
// hand the listening sockets to the next process, which takes them as
// Config.Inherited. Server.Stats counts all of this, by reason.
package poller
