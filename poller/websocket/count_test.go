package websocket

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// counting is a connection on a route of its own.
func counting(t *testing.T, r Route) *peer {
	t.Helper()
	p := upgraded(t, mustCompile(t, map[string]Route{"/echo": r}))
	p.opens()
	return p
}

// flows are the opcodes that anything was counted under.
func flows(all *[opcodes]Flow) map[ws.OpCode]Flow {
	some := map[ws.OpCode]Flow{}
	for op, f := range all {
		if f != (Flow{}) {
			some[ws.OpCode(op)] = f
		}
	}
	return some
}

func (p *peer) wantFlows(t *testing.T, in, out map[ws.OpCode]Flow) {
	t.Helper()
	for _, way := range []struct {
		name      string
		got, want map[ws.OpCode]Flow
	}{{"in", flows(&p.Counts().In), in}, {"out", flows(&p.Counts().Out), out}} {
		for op := range ws.OpCode(opcodes) {
			if way.got[op] != way.want[op] {
				t.Errorf("%s: opcode %d is %v, want %v", way.name, op, way.got[op], way.want[op])
			}
		}
	}
}

// TestCountsMessages: messages and control frames are counted by what they are,
// however they come and however they are answered.
func TestCountsMessages(t *testing.T) {
	t.Parallel()
	all := text("hello") + blob("") + begin("he") + ping("yo") + last("llo") + pong("abc") + text(letters(100_000)) + text(letters(300))
	in := map[ws.OpCode]Flow{
		ws.OpText: {4, 5 + 5 + 100_000 + 300}, ws.OpBinary: {1, 0}, ws.OpPing: {1, 2}, ws.OpPong: {1, 3},
	}
	for name, tt := range map[string]struct {
		route Route
		out   map[ws.OpCode]Flow
	}{
		"echo": {Route{Message: echoBack},
			map[ws.OpCode]Flow{ws.OpText: {4, 100_310}, ws.OpBinary: {1, 0}, ws.OpPong: {1, 2}}},
		"discard": {Route{Message: func(*Conn, ws.OpCode, []byte) error { return nil }},
			map[ws.OpCode]Flow{ws.OpPong: {1, 2}}},
		"another answer": {Route{Message: func(c *Conn, _ ws.OpCode, _ []byte) error { return c.Send(ws.OpBinary, []byte("ok")) }},
			map[ws.OpCode]Flow{ws.OpBinary: {5, 10}, ws.OpPong: {1, 2}}},
		"hooked": {Route{Message: echoBack, Sending: func(c *Conn, op ws.OpCode, p []byte) error { return c.Pass(op, p) }},
			map[ws.OpCode]Flow{ws.OpText: {4, 100_310}, ws.OpBinary: {1, 0}, ws.OpPong: {1, 2}}},
		"swallowed": {Route{Message: echoBack, Sending: func(*Conn, ws.OpCode, []byte) error { return nil }}, nil},
		"control": {Route{Message: echoBack, Control: func(*Conn, ws.OpCode, []byte) (bool, error) { return true, nil }},
			map[ws.OpCode]Flow{ws.OpText: {4, 100_310}, ws.OpBinary: {1, 0}}},
	} {
		whole, bytewise := counting(t, tt.route), counting(t, tt.route)
		whole.feed([]byte(all))
		for i := range all {
			bytewise.feed([]byte(all[i : i+1]))
		}
		t.Run(name, func(t *testing.T) { whole.wantFlows(t, in, tt.out) })
		t.Run(name+" byte by byte", func(t *testing.T) { bytewise.wantFlows(t, in, tt.out) })
	}
}

// TestCountsRefusedSends: what is not taken is not counted.
func TestCountsRefusedSends(t *testing.T) {
	t.Parallel()
	p := counting(t, Route{Message: echoBack, Limits: Limits{HighWater: 10}})
	p.call(func(c *Conn) error {
		_ = c.Send(ws.OpText, []byte("more than the mark"))
		if err := c.Send(ws.OpText, []byte("x")); !errors.Is(err, ErrBacklog) {
			t.Errorf("got %v, want ErrBacklog", err)
		}
		return c.Close(1000, "")
	})
	p.call(func(c *Conn) error { _ = c.Send(ws.OpText, []byte("late")); return nil })
	p.wantFlows(t, nil, map[ws.OpCode]Flow{ws.OpText: {1, 18}, ws.OpClose: {1, 2}})
}

// TestCountsCloses: every connection that ends is counted once in each
// direction, by the close frame's code or as an abnormal closure.
func TestCountsCloses(t *testing.T) {
	t.Parallel()
	const none, abnormal = CloseNone, CloseAbnormal
	shut := func(code ws.StatusCode) func(*peer) {
		return func(p *peer) { p.call(func(c *Conn) error { return c.Close(code, "bye") }) }
	}
	feed := func(in string) func(*peer) { return func(p *peer) { p.feed([]byte(in)) } }
	take := Route{Message: echoBack, Control: func(*Conn, ws.OpCode, []byte) (bool, error) { return true, nil }}
	answer := Route{Message: echoBack, Control: func(c *Conn, _ ws.OpCode, _ []byte) (bool, error) { return true, c.Close(4001, "") }}
	swallow := Route{Message: echoBack, Sending: func(*Conn, ws.OpCode, []byte) error { return nil }}
	end := func(p *peer) { p.call(func(c *Conn) error { c.End(FIN); return nil }) }
	for name, tt := range map[string]struct {
		route   Route
		do      []func(*peer)
		in, out CloseCode
	}{
		"the peer closes":                     {do: []func(*peer){feed(closes(1000, ""))}, in: 0, out: 0},
		"the peer closes without a code":      {do: []func(*peer){feed(masked(firstClose, ""))}, in: none, out: none},
		"the peer closes with its own":        {do: []func(*peer){feed(closes(3999, "x"))}, in: Close3xxx, out: Close3xxx},
		"we close, it answers":                {do: []func(*peer){shut(1001), feed(closes(4000, ""))}, in: Close4xxx, out: 1},
		"we close without a code":             {do: []func(*peer){shut(0), feed(closes(1014, ""))}, in: 14, out: none},
		"we close, it does not answer":        {do: []func(*peer){shut(1012)}, in: abnormal, out: 12},
		"the stream ends":                     {in: abnormal, out: abnormal},
		"the peer breaks the protocol":        {do: []func(*peer){feed("\xff\x80")}, in: abnormal, out: 2},
		"and so after our close frame":        {do: []func(*peer){shut(1001), feed("\xff\x80")}, in: abnormal, out: 1},
		"its close frame is a bad one":        {do: []func(*peer){feed(closes(1005, ""))}, in: abnormal, out: 2},
		"a handler ends it":                   {do: []func(*peer){end}, in: abnormal, out: abnormal},
		"a handler takes the close frame":     {route: take, do: []func(*peer){feed(closes(1000, ""))}, in: 0, out: abnormal},
		"and the peer sends another":          {route: take, do: []func(*peer){feed(closes(1000, "") + closes(1001, ""))}, in: 0, out: abnormal},
		"a handler answers the close frame":   {route: answer, do: []func(*peer){feed(closes(1000, ""))}, in: 0, out: Close4xxx},
		"a hook swallows the answer":          {route: swallow, do: []func(*peer){feed(closes(1000, ""))}, in: 0, out: abnormal},
		"many control frames, then the end":   {do: []func(*peer){feed(strings.Repeat(ping(""), 1000))}, in: abnormal, out: abnormal},
		"many control frames, then our close": {do: []func(*peer){feed(strings.Repeat(ping(""), 1000)), shut(1001)}, in: abnormal, out: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.route.Message == nil {
				tt.route.Message = echoBack
			}
			p := counting(t, tt.route)
			for _, do := range tt.do {
				do(p)
			}
			p.end(t, ErrEOF)
			var in, out [CloseCodes]uint64
			in[tt.in], out[tt.out] = 1, 1
			if c := p.Counts(); c.ClosesIn != in || c.ClosesOut != out {
				t.Errorf("in %v, out %v, want %v and %v", c.ClosesIn, c.ClosesOut, in, out)
			}
			if frames := p.Counts().Out[ws.OpClose].Frames; (frames == 0) != (tt.out == abnormal) {
				t.Errorf("%d close frames sent, counted as %s", frames, tt.out)
			}
		})
	}
}

// TestCountsNoClose: what did not upgrade has no close code.
func TestCountsNoClose(t *testing.T) {
	t.Parallel()
	p := newPeer(t, mustCompile(t, map[string]Route{"/echo": {Message: echoBack}}))
	p.feed([]byte(wsHead("/nowhere")))
	p.end(t, ErrHTTPDone)
	if *p.Counts() != (Counts{}) {
		t.Errorf("got %+v", *p.Counts())
	}
}

// TestCountsViolations: everything that breaks the protocol has a name.
func TestCountsViolations(t *testing.T) {
	t.Parallel()
	invalid := func(*Conn, ws.OpCode, []byte) error { return ws.ProtocolError("not as we agreed") }
	for want, all := range map[Violation][]string{
		ViolationReservedBits:    {masked(firstText|0x40, "x"), masked(firstPing|0x10, ""), "\xa1"},
		ViolationOpcode:          {masked(0x83, ""), masked(0x8f, ""), "\x8b"},
		ViolationUnmasked:        {bare(firstText, "x"), bare(firstPing, "")},
		ViolationLength:          {declares(firstText, 125), declares(firstBinary, 65535), declares(firstBinary, 1<<63)},
		ViolationControlLength:   {masked(firstPing, letters(126))},
		ViolationControlFragment: {masked(byte(ws.OpPing), ""), "\x08"},
		ViolationContinuation:    {last("x"), middle("x")},
		ViolationNoContinuation:  {begin("x") + text("y"), begin("x") + begin("y")},
		ViolationClosePayload:    {masked(firstClose, "x"), closes(1006, ""), closes(999, ""), closes(5000, "")},
		ViolationUTF8:            {text("\xff"), begin("\xe2") + last("x"), closes(1000, "\xff")},
		ViolationOther:           {blob("handled")},
	} {
		for _, in := range all {
			p := counting(t, Route{Message: invalid, Limits: Limits{MaxMessage: -1}})
			p.feed([]byte(in))
			var counts [Violations]uint64
			counts[want] = 1
			if p.Counts().Violations != counts {
				t.Errorf("%q: got %v, want one of %s", in, p.Counts().Violations, want)
			}
		}
	}
}

// TestCountsNoViolation: a limit of ours, or a handler's error, is none.
func TestCountsNoViolation(t *testing.T) {
	t.Parallel()
	p := counting(t, Route{Message: func(*Conn, ws.OpCode, []byte) error { return errors.New("broken") }, Limits: Limits{MaxMessage: 5}})
	p.feed([]byte(blob("hello!")))
	q := counting(t, Route{Message: func(*Conn, ws.OpCode, []byte) error { return errors.New("broken") }})
	q.feed([]byte(blob("hello")))
	for _, p := range []*peer{p, q} {
		if p.Counts().Violations != [Violations]uint64{} || p.err == nil {
			t.Errorf("ended with %v, counted %v", p.err, p.Counts().Violations)
		}
	}
}

// TestRoundTrips: a pong that brings the clock of a ping of ours back is
// measured; no other is.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	clock := func(d time.Duration) string { return string(binary.BigEndian.AppendUint64(nil, uint64(d))) }
	const now = time.Hour
	for _, tt := range []struct {
		payload string
		bucket  int // < 0: not counted
		took    time.Duration
	}{
		{clock(now), 0, 0},
		{clock(now - 10*time.Millisecond), 0, 10 * time.Millisecond},
		{clock(now - 20*time.Millisecond), 1, 20 * time.Millisecond},
		{clock(now - time.Second), 6, time.Second},
		{clock(now - 90*time.Second), RoundTripBuckets - 1, 90 * time.Second},
		{clock(now - roundTripMost), RoundTripBuckets - 1, roundTripMost},
		{clock(now - roundTripMost - 1), -1, 0},
		{clock(now + 1), -1, 0},
		{clock(0), -1, 0},
		{clock(-1), -1, 0},
		{"", -1, 0}, {"1234567", -1, 0}, {clock(now) + "x", -1, 0},
	} {
		p := counting(t, Route{Message: echoBack})
		p.loop.now = now
		p.feed([]byte(pong(tt.payload)))
		var want [RoundTripBuckets]uint64
		if tt.bucket >= 0 {
			want[tt.bucket] = 1
		}
		if c := p.Counts(); c.RoundTrips != want || c.RoundTripSum != tt.took {
			t.Errorf("%q: got %v, %v, want bucket %d, %v", tt.payload, c.RoundTrips, c.RoundTripSum, tt.bucket, tt.took)
		}
	}
	if !slices.IsSorted(RoundTripBounds[:]) {
		t.Error("bounds are not sorted")
	}
}

// TestRoundTripOfPing: what Ping sends is what is measured.
func TestRoundTripOfPing(t *testing.T) {
	t.Parallel()
	p := counting(t, Route{Message: echoBack})
	p.loop.now = time.Minute
	p.call(func(c *Conn) error { return c.Ping() })
	sent := string(p.out[len(p.out)-8:])
	p.loop.now += 300 * time.Millisecond
	p.feed([]byte(pong(sent)))
	if c := p.Counts(); c.RoundTripSum != 300*time.Millisecond || c.Out[ws.OpPing] != (Flow{1, 8}) {
		t.Errorf("got %v, pings %v", c.RoundTripSum, c.Out[ws.OpPing])
	}
}

// TestCountLabels: every counter has a label of its own.
func TestCountLabels(t *testing.T) {
	t.Parallel()
	codes, violations := map[string]bool{}, map[string]bool{}
	for i := range CloseCodes {
		codes[i.String()] = true
	}
	for i := range Violations {
		violations[i.String()] = true
	}
	if len(codes) != int(CloseCodes) || len(violations) != int(Violations) || violations[""] {
		t.Errorf("labels %v, %v", codes, violations)
	}
	for code, label := range map[ws.StatusCode]string{
		0: "none", 1000: "1000", 1001: "1001", 1003: "1003", 1014: "1014", 3000: "3xxx", 3999: "3xxx", 4000: "4xxx", 4999: "4xxx",
	} {
		if got := closeCodeOf(code).String(); got != label {
			t.Errorf("code %d counts as %s, want %s", code, got, label)
		}
	}
	if CloseAbnormal.String() != "1006" {
		t.Errorf("an abnormal closure counts as %s", CloseAbnormal)
	}
}
