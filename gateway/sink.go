package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file has the paths that measure sending: /discard, /slow and
// /benchmark_helper.

func discard(*websocket.Conn, ws.OpCode, []byte) error { return nil }

// slowRate is what /slow reads in a second unless told otherwise: a browser that
// sends 1 MiB has most of it in bufferedAmount for half a minute.
const slowRate = 16 << 10

var slowParams = []parameter{
	{Name: "rate", Accepts: "1 to 1000000000", Default: strconv.Itoa(slowRate), About: "bytes read in a second"},
}

// readSlowly has the connection read rate bytes a second: after each read it
// pauses for as long as that many bytes may take.
func readSlowly(c *websocket.Conn, r *websocket.Request) error {
	rate, err := number(r, "rate", slowRate, 1, 1e9)
	if err != nil {
		return err
	}
	own := *c.Route()
	own.Wire = func(c *websocket.Conn, b []byte) (int, error) {
		c.Pause()
		c.After(time.Duration(len(b))*time.Second/time.Duration(rate), func(c *websocket.Conn) error {
			c.Resume()
			return nil
		})
		return len(b), nil
	}
	c.Use(&own)
	return nil
}

const benchmarkForm = "accepted are receive N, send 0 and send 1"

// upload waits for the payload that a send announced.
type upload struct{ checked bool }

// helperMost bounds what receive sends where --max-message does not: the client
// pays for none of it.
const helperMost = 64 << 20

// benchmark is what a page that measures throughput needs at the other end.
func benchmark(c *websocket.Conn, op ws.OpCode, p []byte) error {
	if u, _ := c.Value().(*upload); u != nil {
		c.Attach(nil)
		return u.arrived(c, p)
	}
	verb, argument, _ := strings.Cut(string(p[:min(len(p), 64)]), " ")
	n, err := strconv.Atoi(argument)
	most := c.Route().Limits.MaxMessage
	if most < 0 || most > helperMost {
		most = helperMost
	}
	switch {
	case op != ws.OpText || err != nil:
	case verb == "receive" && n >= 0 && n <= most:
		return c.Send(ws.OpBinary, bytes.Repeat([]byte("a"), n))
	case verb == "receive":
		return websocket.CloseError{Code: ws.StatusPolicyViolation, Reason: "receive: at most " + strconv.Itoa(most)}
	case verb == "send" && (n == 0 || n == 1):
		c.Attach(&upload{n == 1})
		return nil
	}
	return websocket.CloseError{Code: ws.StatusPolicyViolation, Reason: benchmarkForm}
}

// arrived answers a payload with its size. One that is checked has to be the
// letter a throughout.
func (u *upload) arrived(c *websocket.Conn, p []byte) error {
	if u.checked && len(bytes.Trim(p, "a")) > 0 {
		return websocket.CloseError{Code: ws.StatusInvalidFramePayloadData, Reason: "the payload is not the letter a throughout"}
	}
	return c.Send(ws.OpText, strconv.AppendInt(nil, int64(len(p)), 10))
}
