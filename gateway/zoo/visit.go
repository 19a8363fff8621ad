package zoo

import (
	"errors"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

const (
	// patience is how long an animal waits for its visitor once it has sent
	// everything: long enough for a slow link, short enough for a test's run
	// through the whole zoo.
	patience = 5 * time.Second
	// retry is when an animal goes on whose output has no room.
	retry = 50 * time.Millisecond
)

// Route is that of /zoo/{name}.
func Route() websocket.Route {
	return websocket.Route{
		Upgrade: enter,
		// The first of a browser's offer is chosen: it fails an offer without an
		// answer, and the animals are to be told apart by what is wrong with them.
		Protocols: []string{"*"},
		// What is wrong with an animal shows in its frames as they are.
		Compression: websocket.CompressionOff,
		Limits: websocket.Limits{
			MaxMessage:     64 << 10,       // visitors have nothing to say
			MaxControlRate: 2 * floodPings, // the pongs for the flood
			MaxLifetime:    time.Minute,    // whatever a visitor does
			CloseTimeout:   patience,
			PingInterval:   -1, // the only pings are the animals'
		},
	}
}

// visit is one connection to an animal.
type visit struct {
	place   int      // of the animal
	script  []string // the segments to send
	sent    int      // how many of them were
	answer  answer
	outcome Outcome
	timer   websocket.Timer // of patience
}

// enter makes the connection a visit: it has a Route of its own.
func enter(c *websocket.Conn, r *websocket.Request) error {
	place, ok := places[r.Param("name")]
	if !ok {
		return websocket.Refuse(404, "no such animal; GET /zoo lists them")
	}
	key, _ := r.Header("Sec-WebSocket-Key")
	v := &visit{place: place, script: animals[place].frames, answer: answer{accept: accept(key)}}
	route := &websocket.Route{Open: v.open, Control: v.control, Gone: v.gone}
	if animals[place].head != nil {
		route.Head = v.head
	}
	c.Use(route)
	return nil
}

func (v *visit) animal() *Animal { return &animals[v.place] }

// head puts the segments of a wrong head in front of the others. It answers
// nothing itself: Open does, segment by segment.
func (v *visit) head(c *websocket.Conn, _ *websocket.Request, out []byte) []byte {
	v.answer.protocol = c.Protocol()
	head := v.animal().head(v.answer)
	v.script = append(head[:len(head):len(head)], v.script...)
	return out
}

// open lets a good 101 leave by itself, so that what follows is the only thing
// that a client has to mind.
func (v *visit) open(c *websocket.Conn) error {
	if err := c.Flush(); err != nil {
		return err
	}
	return v.play(c)
}

// play sends the segments from where it stands, each with a write of its own, as
// far as there is no gap between them and the client reads.
func (v *visit) play(c *websocket.Conn) error {
	a := v.animal()
	for v.sent < len(v.script) {
		err := c.SendRaw([]byte(v.script[v.sent]))
		if errors.Is(err, websocket.ErrBacklog) {
			c.After(retry, v.play) // for as long as the stall timeout lets it
			return nil
		}
		if err != nil {
			return nil // the client has closed meanwhile
		}
		v.sent++
		if err := c.Flush(); err != nil {
			return err
		}
		if a.gap > 0 && v.sent < len(v.script) {
			c.After(a.gap, v.play)
			return nil
		}
	}
	if a.ending == hangsUp {
		c.End(websocket.FIN)
		return nil
	}
	v.timer = c.After(patience, v.tooLong)
	return nil
}

// tooLong ends a visit in which nothing happens any more.
func (v *visit) tooLong(c *websocket.Conn) error {
	v.decide(Waited)
	c.End(websocket.FIN)
	return nil
}

// decide notes the first thing that the client did; the rest follows from it.
func (v *visit) decide(o Outcome) {
	if v.outcome == undecided {
		v.outcome = o
	}
}

// control watches what the client does.
func (v *visit) control(c *websocket.Conn, op ws.OpCode, p []byte) (bool, error) {
	switch {
	case op == ws.OpClose:
		return v.closed(p)
	case op == ws.OpPong && string(p) == token:
		v.decide(WentOn)
		v.timer.Stop()
		return true, c.Close(ws.StatusNormalClosure, "")
	}
	return false, nil
}

// closed takes the client's close frame.
func (v *visit) closed(p []byte) (bool, error) {
	code, reason := ws.ParseCloseFrameData(p)
	if len(p) == 0 {
		code = 0
	}
	v.timer.Stop()
	v.decide(closedWith(code))
	switch v.animal().ending {
	case mute:
		return true, nil // the close timeout ends it, unless the client does
	case closed: // its answer to ours
		return true, websocket.CloseError{Code: code, Reason: reason, Peer: true, Cause: websocket.CausePeer}
	}
	return false, nil
}

// gone counts the visit and has the access log show what the client did.
func (v *visit) gone(c *websocket.Conn, cause websocket.Cause) {
	if v.outcome == undecided || v.animal().ending == mute && cause == websocket.CauseCloseTimeout {
		v.outcome = endedBy(cause)
	}
	visits[v.place][v.outcome].Add(1)
	c.Note("animal", v.animal().Name)
	c.Note("outcome", v.outcome.String())
}
