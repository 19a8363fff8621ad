package websocket

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// A Conversation is a golden one as a client sees it, for tests with sockets.
type Conversation struct {
	Name  string
	Offer string        // of extensions; empty: none
	Turns [][2]string   // what the client sends, and what it is answered
	Rest  string        // what it sends behind the end
	Ends  bool          // by the last byte of the last turn
	Code  ws.StatusCode // of the close frame behind the turns; 0: none comes
	Cause Cause         // what its end is counted under, when it ends
}

// Conversations calls f with all golden conversations in which only the client
// does anything. Where it gets something compressed it is what TestGolden has
// inflated: the same on every connection.
func Conversations(t *testing.T, f func(Conversation)) {
	routes := goldenRoutes(t)
	for _, subject := range subjects {
		subject(func(g golden) {
			if g.then != nil {
				return
			}
			c := Conversation{Name: strings.TrimSpace(g.id + " " + g.name), Offer: g.offer, Rest: g.rest, Ends: g.ends(), Code: g.code, Cause: g.cause}
			p := g.upgraded(t, routes)
			for _, turn := range g.turns {
				if g.offer != "" {
					p.out = nil
					p.feed([]byte(turn.in))
					turn.out = strings.TrimSuffix(string(p.out), p.closeFrame(&g))
				}
				c.Turns = append(c.Turns, [2]string{turn.in, turn.out})
			}
			f(c)
		})
	}
}

// closeFrame is the close frame at the end of what the client got, if there is to
// be one behind the turns.
func (p *peer) closeFrame(g *golden) string {
	if g.code == 0 || p.err == nil {
		return ""
	}
	e := closeFor(p.err)
	return closed(e.Code, e.Reason)
}

// Handshakes calls f with every request of handshakeCases: the status that it is
// answered with, and what else is in the answer.
func Handshakes(f func(id, in string, status int, has string)) {
	for _, test := range handshakeCases {
		f(test.id, test.in, test.status, test.has)
	}
}

// HandshakeRoutes are what they talk to.
func HandshakeRoutes(t *testing.T) *Routes { return testRoutes(t) }

// RaceBuild tells that each byte costs a hundred times as much.
const RaceBuild = raceEnabled
