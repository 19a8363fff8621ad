package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file has the paths that push: /time and /bench.

// tell pushes the time each second. Who does not take it misses it.
func tell(c *websocket.Conn) error {
	err := c.Send(ws.OpText, time.Now().UTC().AppendFormat(nil, time.RFC3339Nano))
	if err != nil && !errors.Is(err, websocket.ErrBacklog) {
		return nil // it is closing
	}
	c.After(time.Second, tell)
	return nil
}

const benchForm = "accepted is INTERVAL COUNT MESSAGE: seconds (0.5) or a duration (10ms) of at most 1m, a number up to 1000000, a text"

// pushTick is the shortest time between two turns of an order; shorter intervals
// push several messages a turn.
const pushTick = 10 * time.Millisecond

// turnMost bounds what a turn pushes at once: the loop has others to serve.
const turnMost = 100

// order is what an order to /bench asked for.
type order struct {
	interval time.Duration
	left     int
	message  []byte
	timer    websocket.Timer
}

// bench takes an order, in the place of one under way.
func bench(c *websocket.Conn, _ ws.OpCode, p []byte) error {
	o, ok := parseOrder(string(p))
	if !ok {
		return c.Send(ws.OpText, []byte(benchForm))
	}
	if before, _ := c.Value().(*order); before != nil {
		before.timer.Stop()
	}
	c.Attach(o)
	return o.turn(c)
}

func parseOrder(text string) (*order, bool) {
	interval, rest, _ := strings.Cut(text, " ")
	count, message, ok := strings.Cut(rest, " ")
	d, err := time.ParseDuration(interval)
	if seconds, e := strconv.ParseFloat(interval, 64); e == nil {
		d, err = time.Duration(min(max(seconds, -1), 1e6)*float64(time.Second)), nil
	}
	n, e := strconv.Atoi(count)
	if !ok || err != nil || e != nil || d < 0 || d > time.Minute || n < 0 || n > 1_000_000 {
		return nil, false
	}
	return &order{interval: d, left: n, message: []byte(message)}, true
}

// turn pushes what is due. What a slow reader has no room for yet waits for the
// next turn: nothing is lost.
func (o *order) turn(c *websocket.Conn) error {
	due := 1
	if o.interval < pushTick {
		due = int(pushTick / max(o.interval, pushTick/turnMost))
	}
	for ; due > 0 && o.left > 0; due-- {
		if err := c.Send(ws.OpText, o.message); errors.Is(err, websocket.ErrBacklog) {
			break
		} else if err != nil {
			return nil // it is closing
		}
		o.left--
	}
	if o.left > 0 {
		o.timer = c.After(max(o.interval, pushTick), o.turn)
		return nil
	}
	c.Attach(nil)
	return nil
}
