package websocket

import (
	"strings"

	"github.com/gobwas/ws"
)

// A Conversation is a golden one as a client sees it, for tests with sockets.
type Conversation struct {
	Name  string
	Turns [][2]string   // what the client sends, and what it is answered
	Rest  string        // what it sends behind the end
	Ends  bool          // by the last byte of the last turn
	Code  ws.StatusCode // of the close frame behind the turns; 0: none comes
	Cause Cause         // what its end is counted under, when it ends
}

// Conversations calls f with all golden conversations in which only the client
// does anything.
func Conversations(f func(Conversation)) {
	for _, subject := range subjects {
		subject(func(g golden) {
			if g.then != nil {
				return
			}
			c := Conversation{Name: strings.TrimSpace(g.id + " " + g.name), Rest: g.rest, Ends: g.ends(), Code: g.code, Cause: g.cause}
			for _, t := range g.turns {
				c.Turns = append(c.Turns, [2]string{t.in, t.out})
			}
			f(c)
		})
	}
}

// RaceBuild tells that each byte costs a hundred times as much.
const RaceBuild = raceEnabled
