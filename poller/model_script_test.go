package poller

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file writes the scripts of the model test: what one client does with one
// connection, drawn from a seed.

// opening is how a script begins.
type opening uint8

const (
	openWait    opening = iota // the request; the frames once its 101 has come
	openAtOnce                 // the frames right behind the request
	openNowhere                // a request for a path that is not there
	openHalf                   // half a request, and never the rest
)

// ending is what the client does once everything is sent.
type ending uint8

const (
	endWait      ending = iota // waits for the server's FIN: frames have ended the connection
	endHalfClose               // sends FIN, and reads on
	endReset                   // RST, when all replies are there
	endResetNow                // RST, whatever is under way
	endVanish                  // closes the socket, whatever is under way
)

// piece is what one write brings.
type piece struct {
	b     []byte
	stall bool // nothing is read until the server takes no more
}

// script is the life of one connection, and what must come of it.
type script struct {
	number  int
	route   string
	opening opening
	frames  []frame
	pieces  []piece // the frames as they are written
	ending  ending
	narrow  bool // small socket buffers, so that a stall is one

	replies []reply
	causes  []websocket.Cause // one of them is counted
}

// String is what a failed test shows of a script.
func (s *script) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "script %d: route %s, opening %d, ending %d, %d pieces;", s.number, s.route, s.opening, s.ending, len(s.pieces))
	for _, f := range s.frames {
		fmt.Fprintf(&b, " [%x fin=%t %d", f.op, f.fin, len(f.p))
		if f.first > 0 {
			fmt.Fprintf(&b, ", %d bytes of it", f.first)
		}
		b.WriteByte(']')
	}
	return b.String()
}

// writer draws one script.
type writer struct {
	*rand.Rand
	s *script
}

// newScript is script number n of a seed.
func newScript(seed uint64, n int) *script {
	w := writer{rand.New(rand.NewPCG(seed, uint64(n))), &script{number: n}}
	w.s.route = modelPaths[w.IntN(len(modelPaths))]
	switch w.IntN(20) {
	case 0:
		w.s.route, w.s.opening, w.s.causes = "/nowhere", openNowhere, []websocket.Cause{websocket.CauseHTTP}
		return w.s
	case 1:
		w.half()
		return w.s
	case 2, 3, 4, 5, 6, 7:
		w.s.opening = openAtOnce
	}
	w.life()
	w.end()
	w.foretell()
	w.cut()
	return w.s
}

// half is a connection that never gets its 101.
func (w writer) half() {
	w.s.opening = openHalf
	w.s.ending, w.s.causes = endHalfClose, []websocket.Cause{websocket.CauseEOF}
	if w.IntN(2) == 0 {
		w.s.ending, w.s.causes = endResetNow, []websocket.Cause{websocket.CauseReset}
	}
}

// life is what the client sends while nothing is wrong.
func (w writer) life() {
	for range w.IntN(12) {
		switch w.IntN(8) {
		case 0:
			w.add(w.control())
		case 1, 2:
			w.fragments()
		default:
			op, p := w.payload(w.size())
			w.add(frame{op: op, fin: true, p: p})
		}
	}
	w.s.narrow = w.IntN(8) == 0
	if w.s.narrow {
		w.burst()
	}
}

// burst is more than the server and both kernels hold of who does not read.
func (w writer) burst() {
	for range 40 {
		op, p := w.payload(4<<10 + w.IntN(12<<10))
		w.add(frame{op: op, fin: true, p: p})
	}
}

func (w writer) add(f frame) { w.s.frames = append(w.s.frames, f) }

// control is a ping or a pong.
func (w writer) control() frame {
	op := ws.OpPing
	if w.IntN(4) == 0 {
		op = ws.OpPong
	}
	return frame{op: op, fin: true, p: pattern(w.IntN(126), w.Uint64())}
}

// fragments is one message in several frames, cut anywhere, in the middle of a
// rune too, with control frames between them (RFC 6455 §5.4).
func (w writer) fragments() {
	op, p := w.payload(w.size())
	for n := w.IntN(5); n >= 0; n-- {
		k := len(p)
		if n > 0 {
			k = w.IntN(len(p) + 1)
		}
		w.add(frame{op: op, fin: n == 0, p: p[:k]})
		op, p = ws.OpContinuation, p[k:]
		if n > 0 && w.IntN(3) == 0 {
			w.add(w.control())
		}
	}
}

// size is mostly small, and often one where something changes: the length of a
// header, the memory that a message is kept in.
func (w writer) size() int {
	edges := [...]int{0, 1, 125, 126, 127, 4 << 10, 1<<16 - 15, 1<<16 - 1, 1 << 16, 100_000, modelMessage}
	switch w.IntN(8) {
	case 0, 1:
		return edges[w.IntN(len(edges))]
	case 2:
		return w.IntN(20_000)
	}
	return w.IntN(300)
}

// payload is text of runes of all lengths, or bytes.
func (w writer) payload(n int) (ws.OpCode, []byte) {
	from := w.IntN(modelMessage)
	if w.IntN(2) == 0 {
		return ws.OpBinary, modelBytes()[from : from+n : from+n]
	}
	text := modelText()
	for !utf8.RuneStart(text[from]) {
		from++
	}
	k := n
	for !utf8.RuneStart(text[from+k]) {
		k--
	}
	return ws.OpText, append(bytes.Clone(text[from:from+k]), "~~~"[:n-k]...)
}

// modelBytes and modelText are what payloads are cut from.
var (
	modelBytes = sync.OnceValue(func() []byte { return pattern(2*modelMessage, 1) })
	modelText  = sync.OnceValue(func() []byte {
		r, runes := rand.New(rand.NewPCG(1, 1)), [...]string{"a", "é", "€", "😀"}
		var b []byte
		for len(b) < 2*modelMessage {
			b = append(b, runes[r.IntN(len(runes))]...)
		}
		return b
	})
)

// end is the last thing that happens.
func (w writer) end() {
	text := func(p string) { w.add(frame{op: ws.OpText, fin: true, p: []byte(p)}) }
	goodbye := frame{op: ws.OpClose, fin: true, p: closeBody(1000, "bye")}
	switch w.IntN(8) {
	case 0:
		w.add(frame{op: ws.OpClose, fin: true})
	case 1:
		w.add(goodbye)
	case 2:
		text(pleaseClose)
		w.life() // all of it comes too late
		w.add(goodbye)
	case 3:
		text(pleasePanic)
	case 4, 5:
		w.wrong()
	default:
		w.part()
		w.s.ending = endHalfClose + ending(w.IntN(int(endVanish-endHalfClose)+1))
		if w.s.ending >= endReset { // RST eats what was not read: the request must not be in it
			w.s.opening = openWait
		}
	}
}

// wrong breaks a rule.
func (w writer) wrong() {
	text := []byte("wrong")
	wrongs := [...][]frame{
		{{op: 3, fin: true}},
		{{op: ws.OpText, fin: true, p: text, bare: true}},
		{{op: ws.OpContinuation, fin: true, p: text}},
		{{op: ws.OpText, p: text}, {op: ws.OpText, fin: true, p: text}},
		{{op: ws.OpPing, p: text}},
		{{op: ws.OpPing, fin: true, p: make([]byte, 126)}},
		{{op: ws.OpClose, fin: true, p: text[:1]}},
		{{op: ws.OpClose, fin: true, p: closeBody(1005, "")}},
		{{op: ws.OpText, fin: true, p: []byte("\xc0\x80")}},
		{{op: ws.OpText, p: []byte("\xe2\x82")}, {op: ws.OpContinuation, fin: true, p: text}},
		{{op: ws.OpBinary, fin: true, p: make([]byte, modelMessage+1), first: 14}},
		{{op: ws.OpBinary, p: make([]byte, modelMessage)}, {op: ws.OpContinuation, p: text, first: 6}},
	}
	for _, f := range wrongs[w.IntN(len(wrongs))] {
		w.add(f)
	}
}

// part is sometimes a frame that never ends, or a message that never does.
func (w writer) part() {
	op, p := w.payload(1 + w.size())
	switch w.IntN(3) {
	case 0:
		f := frame{op: op, fin: true, p: p[:min(len(p), modelMessage)]}
		f.first = 1 + w.IntN(len(w.encode(f))-1)
		w.add(f)
	case 1:
		w.add(frame{op: op, p: p[:len(p)/2]})
	}
}

// encode is a frame on the wire.
func (w writer) encode(f frame) []byte {
	out := ws.NewFrame(f.op, f.fin, bytes.Clone(f.p))
	if !f.bare {
		out = ws.MaskFrameInPlaceWith(out, [4]byte{byte(w.Uint32()), byte(w.Uint32()), byte(w.Uint32()), byte(w.Uint32())})
	}
	b, err := ws.CompileFrame(out)
	if err != nil {
		panic(err)
	}
	if f.first > 0 {
		b = b[:f.first]
	}
	return b
}

// foretell asks the oracle.
func (w writer) foretell() {
	var o oracle
	for _, f := range w.s.frames {
		o.takes(f)
	}
	w.s.replies, w.s.causes = o.replies, []websocket.Cause{o.cause}
	if o.over {
		return
	}
	switch w.s.ending {
	case endHalfClose:
		w.s.causes[0] = websocket.CauseEOF
	case endReset, endResetNow:
		w.s.causes[0] = websocket.CauseReset
	case endVanish: // FIN, and RST for what still comes: the server sees either first
		w.s.causes = []websocket.Cause{websocket.CauseEOF, websocket.CauseReset}
	}
}

// cut makes pieces of the frames: all at once, a few, or byte by byte where it
// matters.
func (w writer) cut() {
	var b []byte
	for _, f := range w.s.frames {
		b = append(b, w.encode(f)...)
	}
	most := [...]int{len(b), 1 + len(b)/4, 5000, 7}[w.IntN(4)]
	for n := 0; len(b) > 0; b = b[n:] {
		if len(w.s.pieces) > 100 {
			most = len(b) // the rest of what is cut small
		}
		n = min(1+w.IntN(max(most, 1)), len(b))
		w.s.pieces = append(w.s.pieces, piece{b: b[:n], stall: w.s.narrow && w.IntN(4) == 0})
	}
}
