// Package address reads listen addresses: a place, and behind a question mark
// what is special about it. "0.0.0.0:9998?proxy=required" and
// "unix:/run/echogate.sock?mode=0660" are two. It opens nothing, so that a
// configuration can be judged before anything is touched, and anywhere.
package address
