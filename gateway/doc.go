// Command gateway is echogate's program: it reads its configuration, and serves
// the routing table on the event loops of package poller.
//
// The configuration has one schema, the struct Config. Its flags, its
// environment variables and the keys of its file are the same names:
// --max-message, ECHOGATE_MAX_MESSAGE and max-message. The command line comes
// before the environment, the environment before the file, the file before the
// default.
package main
