package websocket

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A golden conversation is what happens on a connection after its upgrade. It
// ends, if it does, with the very last byte of the last turn: not before, and
// nothing in rest changes that.
type golden struct {
	id    string // in the conformance list; see conformanceIDs
	name  string // what tells conversations of one id apart
	turns []turn
	rest  string                      // sent behind the end, and ignored
	cause Cause                       // what it is counted under; alive when it does not end
	code  ws.StatusCode               // of the close frame that follows the turns; 0: none does
	offer string                      // of extensions, that the client's upgrade had; what leaves compressed is in the turns as it was
	piece int                         // fed in pieces of that size too; 0: in the usual ones only
	then  func(t *testing.T, p *peer) // what the mover does when all was fed
}

// A turn is what the client sends, and what the server answers by the time of
// its last byte.
type turn struct{ in, out string }

// alive is the cause of a conversation that goes on.
const alive = Causes

// subjects are the tables. Large conversations exist one at a time.
var subjects = []func(add func(golden)){
	messageCases, pingCases, reservedCases, fragmentCases, textCases, tableTextCases,
	closeCases, closeCodeCases, volumeCases, frameCases, lifecycleCases, deflateCases, extensionCases,
}

func TestGolden(t *testing.T) {
	routes := goldenRoutes(t)
	seen := make(map[string]bool)
	for _, subject := range subjects {
		subject(func(g golden) {
			seen[g.id] = true
			t.Run(strings.TrimSpace(g.id+" "+g.name), func(t *testing.T) { g.test(t, routes) })
		})
	}
	for _, id := range conformanceIDs() {
		if !seen[id] {
			t.Errorf("%s is not covered", id)
		}
		delete(seen, id)
	}
	for id := range maps.Keys(seen) {
		t.Errorf("%s is no id of the list", id)
	}
}

func goldenRoutes(t testing.TB) *Routes {
	return mustCompile(t, map[string]Route{"/echo": {Message: echoBack, Compression: CompressionOn, Limits: Limits{MaxMessage: 16 << 20}}})
}

// test holds the conversation whole, turn by turn, byte by byte, and cut in two.
func (g *golden) test(t *testing.T, routes *Routes) {
	end := g.turnByTurn(t, routes)
	var wire strings.Builder
	for _, turn := range g.turns {
		wire.WriteString(turn.in)
	}
	fatal := wire.Len() // the byte that ends it
	wire.WriteString(g.rest)
	in := []byte(wire.String())
	if raceEnabled && len(in) > 1<<20 {
		return // each byte costs a hundred times as much
	}
	slow := raceEnabled && max(len(in), g.answers()) > 8<<10
	for _, room := range []bool{false, true} {
		if large := len(in) > tailMax; room && !large || !room && large && slow {
			continue // Room is for frames with memory of their own
		}
		how := func(cut string) string { return fmt.Sprintf("%s, room %v", cut, room) }
		g.same(t, how("dripped"), routes, room, end, drip(in, fatal))
		if slow {
			break
		}
		g.same(t, how("whole"), routes, room, end, slices.Values([][]byte{in}))
		if g.piece > 0 {
			g.same(t, how("in pieces"), routes, room, end, slices.Chunk(in, g.piece))
		}
		for i := range cuts(len(in)) {
			g.same(t, how(fmt.Sprintf("cut at %d", i)), routes, room, end, slices.Values([][]byte{in[:i], in[i:]}))
		}
	}
}

// turnByTurn checks each answer against the table, and returns the end.
func (g *golden) turnByTurn(t *testing.T, routes *Routes) *peer {
	t.Helper()
	p := g.upgraded(t, routes)
	at := 0 // how much of the output was checked
	for i, turn := range g.turns {
		in := []byte(turn.in)
		if i == len(g.turns)-1 && len(in) > 0 && g.ends() {
			p.feed(in[:len(in)-1])
			in = in[len(in)-1:]
		}
		if p.err != nil {
			t.Fatalf("ended before its time: %v", p.err)
		}
		p.feed(in)
		if got := g.plain(t, p)[at:]; !bytes.HasPrefix(got, []byte(turn.out)) || !g.ends() && len(got) != len(turn.out) {
			t.Fatalf("turn %d: got %s, want %s", i, brief(got), brief([]byte(turn.out)))
		}
		at += len(turn.out)
	}
	if g.ends() && p.err == nil {
		t.Fatalf("not ended by its last byte; out %s", brief(p.out))
	}
	p.feed([]byte(g.rest))
	if g.then != nil {
		g.then(t, p)
	}
	g.checkClose(t, g.plain(t, p)[at:])
	g.checkEnd(t, p)
	return p
}

// upgraded is the client's connection, with what it offered.
func (g *golden) upgraded(t *testing.T, routes *Routes) *peer {
	p := upgraded(t, routes)
	if g.offer != "" {
		p.agreed(t, g.offer)
	}
	return p
}

// plain is all that the client got, as it was before it was compressed.
func (g *golden) plain(t *testing.T, p *peer) []byte {
	if g.offer == "" {
		return p.out
	}
	return unpacked(t, p.out, p.state.window())
}

// answers is how many bytes the turns want, before they are compressed.
func (g *golden) answers() (n int) {
	for _, turn := range g.turns {
		n += len(turn.out)
	}
	return n
}

// ends reports whether the client's bytes end it.
func (g *golden) ends() bool { return g.cause != alive && g.then == nil }

// checkClose: behind what the turns want there is one close frame with the
// code, whose reason is fixed text, or nothing.
func (g *golden) checkClose(t *testing.T, b []byte) {
	t.Helper()
	if g.code == 0 {
		if len(b) > 0 {
			t.Fatalf("got %s behind the turns", brief(b))
		}
		return
	}
	if len(b) < 4 || b[0] != firstClose || int(b[1]) != len(b)-2 || !utf8.Valid(b[4:]) {
		t.Fatalf("got %s, want a close frame", brief(b))
	}
	if got := ws.StatusCode(b[2])<<8 | ws.StatusCode(b[3]); got != g.code {
		t.Fatalf("got code %d, want %d", got, g.code)
	}
}

// checkEnd releases the connection as a mover does: it is counted under its
// cause, and nothing is held.
func (g *golden) checkEnd(t *testing.T, p *peer) {
	t.Helper()
	if p.err == nil && g.then == nil && (p.work != nil || len(p.kept) > 0) {
		t.Errorf("idle, it holds %+v and %d bytes", p.work, len(p.kept))
	}
	if p.loop.buffers != 0 {
		t.Errorf("%d buffers are held", p.loop.buffers)
	}
	want, why := g.cause, ErrReset
	if want == alive {
		want = CauseReset
	}
	if p.err != nil {
		why = closeFor(p.err)
	}
	if !p.released {
		p.end(t, why)
	}
	if p.counted != want {
		t.Errorf("counted under %s, want %s", p.counted, want)
	}
}

// same holds the conversation in other pieces: the same must come of it.
func (g *golden) same(t *testing.T, how string, routes *Routes, room bool, want *peer, pieces iter.Seq[[]byte]) {
	t.Helper()
	p := g.upgraded(t, routes)
	p.room = room
	for b := range pieces {
		p.feed(b)
	}
	if g.then != nil {
		g.then(t, p)
	}
	if !bytes.Equal(p.out, want.out) {
		t.Fatalf("%s: got %s, want %s", how, brief(p.out), brief(want.out))
	}
	if fmt.Sprint(p.err) != fmt.Sprint(want.err) {
		t.Fatalf("%s: got error %v, want %v", how, p.err, want.err)
	}
	g.checkEnd(t, p)
}

// drip cuts in into single bytes, or when it is long into short pieces between
// bytes at both ends and around the byte that ends it.
func drip(in []byte, fatal int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		step := 1 + len(in)/4000
		for at := 0; at < len(in); {
			n := step
			if at < 300 || at > len(in)-300 || at > fatal-20 && at < fatal+20 {
				n = 1
			}
			n = min(n, len(in)-at)
			if !yield(in[at : at+n]) {
				return
			}
			at += n
		}
	}
}

// cuts are the indices at which n bytes are cut in two: all when they are few,
// else some at both ends, around tailMax, and between.
func cuts(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		step, edge := 1, n
		switch {
		case n > 1<<20:
			step, edge = n/2, 1
		case n > 8<<10:
			step, edge = n/16, 15
		case n > 400:
			step, edge = n/100, 30
		}
		for i := 1; i < n; i++ {
			if (i <= edge || i > n-edge || i%step == 0 || i == tailMax) && !yield(i) {
				return
			}
		}
	}
}

// brief is b for a message of a test.
func brief(b []byte) string {
	if len(b) > 200 {
		return fmt.Sprintf("%q… (%d bytes)", b[:200], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// upgraded is a peer of /echo whose upgrade is over. It did not take place, to
// save the time of ten thousands of them: handshakeCases has frames behind it.
func upgraded(t testing.TB, routes *Routes) *peer {
	t.Helper()
	i := routes.find([]byte("/echo"))
	if i < 0 {
		t.Fatal("no route")
	}
	p := newPeer(t, routes)
	p.state = State{phase: phaseOpen, flags: flagUpgraded, place: place{routes.version, uint16(i)}}
	p.Bind(1, &p.state, nil)
	return p
}
