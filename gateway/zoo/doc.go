// Package zoo holds broken servers, each of which does one wrong thing: a head
// that is no good handshake, a frame that RFC 6455 forbids, a close that is none.
// Among them are some that only do what is rare, and right. A client that visits
// /zoo/{name} must fail the connection or go on, as [Animals] says; what it did
// stands in the access log and is counted ([Each]).
//
// An animal is a line of a table: its bytes as they leave. Behind the wrong thing
// comes a ping, so that a client which does not mind it is found out by its pong.
// Every visit ends by itself a few seconds after the client did anything last,
// whatever the client does.
package zoo
