package main

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file has the paths that end their connection: /close, /abort,
// /abort_handshake, /internal_error.

const closeCodes = "1000 to 1003, 1007 to 1014, 3000 to 4999, and 1005 for a close frame without a body"

var closeParams = []parameter{
	{Name: "code", Accepts: closeCodes, About: "closes with it after open"},
	{Name: "reason", Accepts: "at most 123 bytes of UTF-8", About: "the reason in that close frame"},
}

var rstParams = []parameter{
	{Name: "rst", Accepts: "nothing", About: "with a TCP reset instead of a FIN"},
}

// closeAs closes as a text CODE REASON says. What is no code is answered with
// what a code is.
func closeAs(c *websocket.Conn, _ ws.OpCode, p []byte) error {
	text, reason, _ := strings.Cut(string(p), " ")
	code, ok := closeCode(text)
	if !ok || len(reason) > 123 {
		return c.Send(ws.OpText, []byte("accepted are CODE and CODE REASON; a code is "+closeCodes+"; a reason has at most 123 bytes"))
	}
	return c.Close(code, reason)
}

// closeCode reads a code that may travel; 1005 is that of a frame without one.
func closeCode(text string) (ws.StatusCode, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	code := ws.StatusCode(n)
	if code == ws.StatusNoStatusRcvd {
		return 0, err == nil
	}
	return code, err == nil && websocket.ValidCode(code)
}

// closeAtOnce makes ?code=4001&reason=x close after open.
func closeAtOnce(c *websocket.Conn, r *websocket.Request) error {
	text, ok := r.Query("code")
	if !ok {
		return nil
	}
	code, ok := closeCode(text)
	if !ok {
		return refuseParameter("code", closeCodes)
	}
	reason, _ := r.Query("reason")
	if len(reason) > 123 || !utf8.ValidString(reason) {
		return refuseParameter("reason", "at most 123 bytes of UTF-8")
	}
	own := *c.Route()
	own.Open = func(c *websocket.Conn) error { return c.Close(code, reason) }
	c.Use(&own)
	return nil
}

// abortHow makes ?rst a reset.
func abortHow(c *websocket.Conn, r *websocket.Request) error {
	if flagged(r, "rst") {
		own := *c.Route()
		own.Open = func(c *websocket.Conn) error { c.End(websocket.Reset); return nil }
		c.Use(&own)
	}
	return nil
}

func abort(c *websocket.Conn) error { c.End(websocket.FIN); return nil }

func abortHandshake(c *websocket.Conn, r *websocket.Request) error {
	if flagged(r, "rst") {
		c.End(websocket.Reset)
		return nil
	}
	c.End(websocket.FIN)
	return nil
}

var errInternal = errors.New("this handler always fails")

func fail(*websocket.Conn) error { return errInternal }
