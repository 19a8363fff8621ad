package main

import (
	"echogate/gateway/zoo"
	"echogate/poller/websocket"
)

// A line of the routing table: a path and what is there. kind, about and params
// are what /routes, "gateway routes" and the README say of it.
type line struct {
	path   string
	about  string
	params []parameter // its own; any WebSocket path takes the faults beside them
	websocket.Route
}

// lines is the routing table. To add a handler write a function and a line here.
func lines(l *listing) []line {
	return []line{
		{"/echo", "sends every message back", echoParams, websocket.Route{Upgrade: choose, Message: echo, Protocols: first}},
		{"/", "the console; as a WebSocket the same as /echo", echoParams, websocket.Route{Upgrade: choose, Message: echo, Protocols: first, HTTP: page("index.html")}},
		{"/echo_noext", "the same, but no extension is ever accepted", nil, websocket.Route{Message: echo, Protocols: first, Compression: websocket.CompressionOff}},
		{"/deflate", "the same, compressed with permessage-deflate, whatever --compression says, for clients that offer it", echoParams, websocket.Route{Upgrade: choose, Message: echo, Protocols: first, Compression: websocket.CompressionOn}},
		{"/close", "closes as a text CODE REASON says, or as the query says after open; returns the client's own code and reason", closeParams, websocket.Route{Upgrade: closeAtOnce, Message: closeAs}},
		{"/abort", "ends TCP after open, without a close frame", rstParams, websocket.Route{Upgrade: abortHow, Open: abort}},
		{"/abort_handshake", "ends TCP instead of answering the handshake", rstParams, websocket.Route{Upgrade: abortHandshake}},
		{"/internal_error", "a handler that fails after open: 1011", nil, websocket.Route{Open: fail}},
		{"/origin_check", "403 unless the Origin is in its list; echoes", originParams, websocket.Route{Upgrade: checkOrigin, Message: echo, Origins: everybody}},
		{"/cookie", "sets or clears a cookie in the 101; echoes", cookieParams, websocket.Route{Upgrade: setCookie, Message: echo}},
		{"/hsts", "Strict-Transport-Security in the 101; echoes", nil, websocket.Route{Upgrade: strictTransport, Message: echo}},
		{"/subprotocol", "answers the first subprotocol offered, none, or one that was not offered; echoes", subprotocolParams, websocket.Route{Upgrade: subprotocol, Message: echo, Protocols: first}},
		{"/bench", "a text INTERVAL COUNT MESSAGE has it push COUNT messages, one each INTERVAL", nil, websocket.Route{Message: bench}},
		{"/benchmark_helper", "receive N: a binary message of N bytes; send 0 or send 1, then a payload: its size, checked or not", nil, websocket.Route{Message: benchmark}},
		{"/time", "pushes the time each second", nil, websocket.Route{Open: tell, Message: discard}},
		{"/discard", "reads and says nothing", nil, websocket.Route{Message: discard}},
		{"/slow", "reads so slowly that the client's output piles up, and says nothing", slowParams, websocket.Route{Upgrade: readSlowly, Message: discard}},
		{"/frames", "answers every frame with a JSON text that describes it as it came over the wire", nil, websocket.Route{Upgrade: describeFrames, Message: discard}},
		{"/info", "the request as JSON: headers, addresses, host name", nil, websocket.Route{HTTP: info}},
		{"/status/{code}", "that status, 200 to 599", nil, websocket.Route{HTTP: status}},
		{"/routes", "this list as JSON", nil, websocket.Route{HTTP: l.routes}},
		{"/faults", "the fault parameters as JSON", nil, websocket.Route{HTTP: l.faults}},
		{"/tutorial", "the page of the HTML5 WebSocket tutorial", nil, websocket.Route{HTTP: page("tutorial.html")}},
		{"/console/{file}", "what the pages need", nil, websocket.Route{HTTP: file}},
		{"/zoo", "the zoo of broken servers, as a page or as JSON", nil, websocket.Route{HTTP: zoo.List}},
		{"/zoo/{name}", "one of them: a server with one thing wrong", nil, zoo.Route()},
	}
}

// first answers the first subprotocol that a client offers: a browser whose
// offer is not answered closes with 1006.
var first = []string{"*"}

// everybody lets every page in, whatever --origin says: the route has a list of its own.
var everybody = []string{"*"}
