package main

import (
	"strconv"

	"echogate/poller/websocket"
)

// This file reads the parameters of the paths from the query of a request.

// flagged reports whether a parameter that takes no value is there: ?rst, ?rst=1,
// but not ?rst=0.
func flagged(r *websocket.Request, name string) bool {
	v, ok := r.Query(name)
	return ok && v != "0"
}

// refuseParameter is the 400 for a parameter's bad value. What was given is not
// repeated: the client knows it.
func refuseParameter(name, accepts string) error {
	return websocket.Refuse(400, name+": accepted are "+accepts)
}

// number reads a whole number from least to most; without the parameter it is
// otherwise.
func number(r *websocket.Request, name string, otherwise, least, most int) (int, error) {
	text, ok := r.Query(name)
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, refuseParameter(name, strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}
