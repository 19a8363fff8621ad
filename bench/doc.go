// Command bench is a load generator for WebSocket servers that echo, this
// gateway's or any other.
//
//	go run ./bench echo -c 100 --pipeline 16 -d 10s ws://127.0.0.1:9998/echo
//	go run ./bench --help
//
// It imports nothing of the gateway: two readings of RFC 6455 meet on the wire.
// README.md is the reference of its modes, flags and figures.
//
// A process has one event loop, which is one goroutine (client.go): gnet's
// poller tells which socket is readable, one read takes what is there, the
// bytes are compared with the stream that must come back (stream.go), and one
// write sends what follows. A connection is 64 bytes without pointers. What
// connections do is the behaviour of their group (group.go): a closed loop, an
// open loop, idling, coming and going, reading slowly. A mode is one to three
// groups (load.go).
//
// A run goes through phases (phase.go). With --procs every worker process has
// a share of the load and goes through them in step with the others
// (workers.go, measure.go): all have their connections open before the first
// of them measures, and all have measured before the first of them closes.
package main
