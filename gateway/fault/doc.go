// Package fault makes a WebSocket route misbehave, exactly as the query of a
// request tells.
//
// Parse reads the grammar (Parameters documents it), Wrap puts it around a Route.
// A Binder does both at the upgrade of a connection, and only for one whose query
// has a fault in it: a connection without any runs the same functions as if this
// package did not exist.
//
// A reply is a message that the route sends, whenever it does, from Message or
// from a timer. Each draws from the seed in the order of the grammar, one value
// for each probability given (two for corrupt and truncate), whatever came of the
// draws before: the same seed and the same replies give the same frames. What is
// kept back is bounded: above the route's high-water mark the connection is not
// read.
package fault
