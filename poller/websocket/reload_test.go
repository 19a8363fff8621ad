package websocket

import (
	"testing"

	"github.com/gobwas/ws"
)

// TestVersionUsedAgain: the number of a version that no connection has may be that
// of another table: nothing of the first is remembered then, whether its last
// connection ended before it was replaced or after.
func TestVersionUsedAgain(t *testing.T) {
	answering := func(text string) *Routes {
		return mustCompile(t, map[string]Route{"/": {Message: func(c *Conn, op ws.OpCode, _ []byte) error {
			return c.Send(op, []byte(text))
		}}})
	}
	for name, late := range map[string]bool{"before": false, "after": true} {
		c := NewConn(&fakeLoop{}, answering("first").With(1, Limits{}, 0))
		connect := func() *State {
			st := new(State)
			c.Bind(1, st, nil)
			if _, _, err := c.Receive([]byte(wsHead("/"))); err != nil || !st.Open() {
				t.Fatal(err)
			}
			c.Sent()
			return st
		}
		says := func(st *State, want string) {
			t.Helper()
			c.Bind(1, st, nil)
			if _, out, err := c.Receive([]byte(text("?"))); string(out) != echoed(want) || err != nil {
				t.Errorf("its end %s: got %q, %v, want %s", name, out, err, want)
			}
			c.Sent()
		}
		st := connect()
		says(st, "first")
		end := func() {
			c.Bind(1, st, nil)
			if _, err := c.Release(ErrEOF); err != nil {
				t.Fatal(err)
			}
		}
		if !late {
			end()
		}
		c.Serve(answering("second").With(2, Limits{}, 0))
		if late {
			says(st, "first")
			end()
		}
		c.Serve(answering("third").With(1, Limits{}, 0))
		says(connect(), "third")
	}
}
