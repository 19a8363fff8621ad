package main

import (
	"fmt"
	"strconv"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// goodbye is the text that is echoed and then closes with 1000: the rule of
// pywebsocket's echo handler, which the HTML5 tutorials were served by.
const goodbye = "Goodbye"

// echo sends every message back as it came: same opcode, same bytes.
func echo(c *websocket.Conn, op ws.OpCode, p []byte) error {
	if err := c.Send(op, p); err != nil {
		return err
	}
	if op == ws.OpText && string(p) == goodbye {
		return c.Close(ws.StatusNormalClosure, "")
	}
	return nil
}

// plain echoes Goodbye like anything else.
func plain(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

var echoParams = []parameter{
	{Name: "goodbye", Accepts: "0 or 1", Default: "1", About: "0: the text Goodbye is echoed like any other, and closes nothing"},
	{Name: "hello", Accepts: "0 or 1", Default: "0", About: "1: the first message is what /info says of the request"},
}

// choose makes ?goodbye=0 switch the rule off for one connection, and ?hello=1
// greet it.
func choose(c *websocket.Conn, r *websocket.Request) error {
	if v, _ := r.Query("goodbye"); v == "0" {
		own := *c.Route()
		own.Message = plain
		c.Use(&own)
	}
	if flagged(r, "hello") {
		greet(c, r)
	}
	return nil
}

// status answers /status/{code} with that status.
func status(w *websocket.Response, r *websocket.Request) error {
	code, err := strconv.Atoi(r.Param("code"))
	if err != nil || code < 200 || code > 599 {
		return websocket.Refuse(400, "a status is a number from 200 to 599")
	}
	w.Status, w.Type = code, "text/plain; charset=utf-8"
	if code != 205 { // which has no content (RFC 9110 §15.3.6)
		w.Body = fmt.Appendf(nil, "status %d\n", code)
	}
	return nil
}
