package fault

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"

	"echogate/poller/websocket"
)

// A Binder gives routes their faults.
type Binder struct {
	Off    bool    // a request with a fault is refused with 403
	Counts *Counts // nil: nothing is counted
}

// Bind is r with the faults that a request's query asks for. own are the
// parameters of r itself: its Upgrade reads them.
func (b *Binder) Bind(r websocket.Route, own []string) websocket.Route {
	inner := r.Upgrade
	own = slices.Clone(own)
	r.Upgrade = func(c *websocket.Conn, q *websocket.Request) error {
		var s Spec
		var err error
		if queried(q) {
			s, err = Parse(q.Queries, own)
		}
		switch {
		case err != nil:
			return websocket.Refuse(400, err.Error())
		case s.Given && b.Off:
			return websocket.Refuse(403, "faults are switched off here")
		case s.Given:
			return b.upgrade(c, q, s, inner)
		case inner != nil:
			return inner(c, q)
		}
		return nil
	}
	return r
}

// queried reports whether a request has a query. To read one takes memory, which
// those without need not pay.
func queried(q *websocket.Request) bool {
	for range q.Queries {
		return true
	}
	return false
}

// upgrade is Upgrade for a request with faults.
func (b *Binder) upgrade(c *websocket.Conn, q *websocket.Request, s Spec, inner func(*websocket.Conn, *websocket.Request) error) error {
	if s.HandshakeDelay > 0 {
		if err := c.Wait(s.HandshakeDelay); err != nil {
			b.Counts.add(KindHandshakeDelay)
			return err
		}
	}
	if s.refuses() {
		b.Counts.add(KindStatus)
		return s.refusal(c)
	}
	if inner != nil {
		if err := inner(c, q); err != nil {
			return err
		}
	}
	if !s.HasSeed {
		s.Seed = rand.Uint64()
	}
	c.AddHeader("X-Echogate-Seed", strconv.FormatUint(s.Seed, 10))
	own := Wrap(*c.Route(), s, b.Counts)
	c.Use(&own)
	return nil
}

// refuses reports whether the handshake is to be refused.
func (s *Spec) refuses() bool { return s.Status != 0 || s.HasRetry || s.Location != "" }

// refusal is what status=, retry-after= and location= ask for.
func (s *Spec) refusal(c *websocket.Conn) error {
	status := 503
	if s.HasRetry {
		c.AddHeader("Retry-After", strconv.Itoa(s.RetryAfter))
	}
	if s.Location != "" {
		c.AddHeader("Location", s.Location)
		status = 302
	}
	return websocket.Refuse(cmp.Or(s.Status, status), "as the query asks")
}
