// Command gateway is echogate's program: it reads its configuration, and serves
// the routing table on the event loops of package poller.
//
// The configuration has one schema, the struct Config. Its flags, its
// environment variables and the keys of its file are the same names:
// --max-message, ECHOGATE_MAX_MESSAGE and max-message. The command line comes
// before the environment, the environment before the file, the file before the
// default.
//
// What a path does is a function, and the path a line of the table in routes.go:
// /routes, the console's picker, "gateway routes" and the README are made of it. The
// faults that a client may ask for are put around a route at the upgrade of a
// connection (package fault); handlers know nothing of them.
package main
