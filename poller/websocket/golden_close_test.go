package websocket

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

// closeCases are 7.1 to 7.5: the close handshake that the peer begins.
func closeCases(add func(golden)) {
	bye := turn{closes(1000, ""), closed(1000, "")}
	large := letters(256 << 10)
	all(add, CausePeer, []golden{
		{id: "7.1.1", turns: []turn{{text("Hello"), echoed("Hello")}, bye}},
		{id: "7.1.2", turns: []turn{bye}, rest: closes(1000, "")},
		{id: "7.1.3", turns: []turn{bye}, rest: ping("late")},
		{id: "7.1.4", turns: []turn{bye}, rest: text("late")},
		{id: "7.1.5", turns: []turn{{begin("frag"), ""}, bye}, rest: last("ment")},
		{id: "7.1.6", turns: []turn{{text(large), echoed(large)}, bye}, rest: ping("late")},
		{id: "7.3.1", turns: []turn{{masked(firstClose, ""), bare(firstClose, "")}}},
		{id: "7.3.2", turns: []turn{{"\x88\x81", ""}}, rest: masked(firstClose, "a")[2:], cause: CauseProtocol},
		{id: "7.3.3", turns: []turn{bye}},
		{id: "7.3.4", turns: []turn{{closes(1000, "Hello"), closed(1000, "Hello")}}},
		{id: "7.3.5", turns: []turn{{closes(1000, letters(123)), closed(1000, letters(123))}}},
		{id: "7.3.6", turns: []turn{{"\x88\xfe", ""}}, rest: closes(1000, letters(124))[2:], cause: CauseProtocol},
		{id: "7.5.1", turns: []turn{{closes(1000, "\u03ba\xed\xa0\x80edited"), ""}}, cause: CauseUTF8, code: 1007},
	})
}

// closeCodeCases are 7.7 to 7.13: the codes that may travel, and those that
// must not (RFC 6455 §7.4).
func closeCodeCases(add func(golden)) {
	good := []ws.StatusCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}
	for i, code := range good {
		all(add, CausePeer, []golden{{id: fmt.Sprint("7.7.", i+1), turns: []turn{{closes(code, "x"), closed(code, "x")}}}})
	}
	for _, code := range []ws.StatusCode{1012, 1013, 1014} { // in IANA's registry since
		all(add, CausePeer, []golden{{id: "7.7.13", name: fmt.Sprint(code), turns: []turn{{closes(code, "x"), closed(code, "x")}}}})
	}
	bad := func(id string, code ws.StatusCode) {
		all(add, CauseProtocol, []golden{
			{id: id, turns: []turn{{closes(code, ""), ""}}},
			{id: id, name: "with a reason", turns: []turn{{closes(code, "x"), ""}}},
		})
	}
	for i, code := range []ws.StatusCode{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		bad(fmt.Sprint("7.9.", i+1), code)
	}
	bad("7.13.1", 5000)
	bad("7.13.2", 65535)
	all(add, CauseProtocol, []golden{{id: "7.9.6", name: "1015", turns: []turn{{closes(1015, ""), ""}}}})
}

// lifecycleCases are what of group L shows without sockets: what a connection
// makes of its mover's doings.
func lifecycleCases(add func(golden)) {
	ends := func(why CloseError) func(t *testing.T, p *peer) {
		return func(t *testing.T, p *peer) { p.end(t, why) }
	}
	// A close that is ours: data that crosses it is dropped, the answer ends it.
	shuts := func(why CloseError, code ws.StatusCode) func(t *testing.T, p *peer) {
		return func(t *testing.T, p *peer) {
			p.call(func(c *Conn) error { return c.Shut(why) })
			p.feed([]byte(text("crossing") + begin("cross") + ping("crossing") + last("ing") + closes(code, "")))
			checkPeerClosed(t, p)
		}
	}
	hello := turn{text("Hello"), echoed("Hello")}
	large := letters(100 << 10)
	add(golden{id: "L5", name: "answered", turns: []turn{hello}, then: shuts(CloseError{Code: 4000}, 4000), code: 4000, cause: CauseHandler})
	all(add, alive, []golden{
		{id: "L1", name: "between messages", turns: []turn{hello}, then: ends(ErrEOF), cause: CauseEOF},
		{id: "L1", name: "in a message", turns: []turn{hello, {begin("half"), ""}}, then: ends(ErrEOF), cause: CauseEOF},
		{id: "L1", name: "in a header", turns: []turn{hello, {"\x81", ""}}, then: ends(ErrEOF), cause: CauseEOF},
		{id: "L2", turns: []turn{hello, {text("owed"), echoed("owed")}}, then: ends(ErrEOF), cause: CauseEOF},
		{id: "L3", turns: []turn{{text(large), echoed(large)}, {text(large)[:90<<10], ""}}, then: ends(ErrReset), cause: CauseReset},
		{id: "L5", turns: []turn{hello}, code: 1000, cause: CauseCloseTimeout, then: func(t *testing.T, p *peer) {
			p.call(func(c *Conn) error { return c.Close(1000, "") })
			p.feed([]byte(begin("crossing")))
			p.end(t, ErrCloseTimeout)
		}},
		{id: "L6", turns: []turn{hello}, cause: CauseSlowReader, then: func(t *testing.T, p *peer) {
			p.working().Backlog = DefaultLimits().HighWater + 1
			p.call(func(c *Conn) error {
				if err := c.Send(ws.OpText, []byte("more")); err != ErrBacklog {
					t.Errorf("got %v, want ErrBacklog", err)
				}
				return nil
			})
			p.work.Backlog = 0 // the mover drops it
			p.end(t, ErrSlowReader)
		}},
		{id: "L7", turns: []turn{hello}, then: shuts(ErrIdle, 1008), code: 1008, cause: CauseIdle},
		{id: "L8", turns: []turn{hello}, then: shuts(ErrGoingAway, 1001), code: 1001, cause: CauseGoingAway},
		{id: "L8", name: "in a message", turns: []turn{{begin(large) + middle(large)[:90<<10], ""}}, code: 1001, cause: CauseGoingAway, then: func(t *testing.T, p *peer) {
			p.call(func(c *Conn) error { return c.Shut(ErrGoingAway) })
			if p.loop.buffers != 0 {
				t.Error("a message that will not be delivered is held until the peer answers")
			}
			p.feed([]byte(middle(large)[90<<10:] + last(large) + closes(1001, "")))
			checkPeerClosed(t, p)
		}},
		{id: "L8", name: "in a kept frame", turns: []turn{hello, {text("crossing")[:10], ""}}, code: 1001, cause: CauseGoingAway, then: func(t *testing.T, p *peer) {
			p.call(func(c *Conn) error { return c.Shut(ErrGoingAway) })
			p.feed([]byte(text("crossing")[10:] + closes(1001, "")))
			checkPeerClosed(t, p)
		}},
		{id: "L9", turns: []turn{hello, {split(firstText, "abc", 1), echoed("abc")}, {ping(""), ponged("")}, {text(large), echoed(large)}}},
	})
}

// checkPeerClosed: both close frames are exchanged, and the peer's was the last.
func checkPeerClosed(t *testing.T, p *peer) {
	t.Helper()
	var e CloseError
	if !errors.As(p.err, &e) || !e.Peer {
		t.Errorf("got %v, want the peer's answer", p.err)
	}
}
