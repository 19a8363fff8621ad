package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
	"echogate/poller/websocket/websockettest"
)

// This file tests handlers without a socket, with a clock set by hand.

// serveTable serves the gateway's routing table.
func serveTable(t *testing.T) *websockettest.Server {
	t.Helper()
	routes, _, err := table(&Config{Faults: SwitchOn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return websockettest.NewServerOf(routes)
}

func TestBench(t *testing.T) {
	s := serveTable(t)
	c := s.Dial("/bench")
	c.Send(ws.OpText, "0.5 3 hello, world")
	for i, want := range []string{`text "hello, world"`, "", `text "hello, world"`, "", `text "hello, world"`, "", ""} {
		if got := c.Frames(); got != want {
			t.Errorf("after %d × 250ms: got %s, want %s", i, got, want)
		}
		s.Advance(250 * time.Millisecond)
	}
	c.Send(ws.OpText, "1ms 1000 x")
	s.Advance(500 * time.Millisecond)
	if n := strings.Count(c.Frames(), `text "x"`); n < 490 || n > 510 {
		t.Errorf("%d messages in 500 ms, want one each millisecond", n)
	}
	c.Send(ws.OpText, "1h 1 x")
	if got := c.Frames(); !strings.Contains(got, "accepted is INTERVAL COUNT MESSAGE") {
		t.Errorf("got %s", got)
	}
	c.Send(ws.OpText, "1s 1 y") // in the place of the one under way
	s.Advance(time.Minute)
	if got := c.Frames(); got != `text "y"` {
		t.Errorf("got %s, want the new order's alone", got)
	}
	for _, bad := range []string{"", "1", "1 1", "x 1 y", "1 x y", "-1 1 x", "1 -1 x", "1 1000001 x", "NaN 1 x", "61 1 x", "1e300 1 x"} {
		c.Send(ws.OpText, bad)
		if got := c.Frames(); !strings.Contains(got, "accepted is INTERVAL COUNT MESSAGE") {
			t.Errorf("%q: got %s", bad, got)
		}
	}
	if s.Timers() != 0 {
		t.Errorf("%d timers are left", s.Timers())
	}
}

// A reader that is too slow for /bench gets every message in the end.
func TestBenchWaitsForItsReader(t *testing.T) {
	s := serveTable(t)
	c := s.Dial("/bench")
	c.Stall()
	c.Send(ws.OpText, "0 2000 "+strings.Repeat("x", 1000))
	s.Advance(10 * time.Second)
	for range 100 {
		c.Unstall()
		s.Advance(time.Second)
	}
	if n := strings.Count(c.Frames(), "text"); n != 2000 {
		t.Errorf("%d messages came, want 2000", n)
	}
}

func TestTime(t *testing.T) {
	s := serveTable(t)
	c := s.Dial("/time")
	for range 3 {
		if _, err := time.Parse(time.RFC3339Nano, c.Next().Payload); err != nil {
			t.Error(err)
		}
		if got := c.Frames(); got != "" {
			t.Errorf("too much: %s", got)
		}
		s.Advance(time.Second)
	}
	c.SendClose(1000, "")
	if s.Timers() != 0 {
		t.Errorf("closed, it has %d timers", s.Timers())
	}
}

func TestBenchmarkHelper(t *testing.T) {
	s := serveTable(t)
	c := s.Dial("/benchmark_helper")
	c.Send(ws.OpText, "receive 5")
	c.Send(ws.OpText, "receive 0")
	c.Send(ws.OpText, "send 1")
	c.Send(ws.OpBinary, "aaaa")
	c.Send(ws.OpText, "send 0")
	c.Send(ws.OpBinary, "xyz")
	c.Send(ws.OpText, "send 1")
	c.Send(ws.OpText, "")
	if got, want := c.Frames(), `binary "aaaaa", binary "", text "4", text "3", text "0"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for order, want := range map[string]string{
		"receive 1048577": `close 1008 "receive: at most 1048576"`, "receive -1": `close 1008 "receive: at most 1048576"`,
		"send 2": `close 1008`, "receive": `close 1008`, "bogus 1": `close 1008`,
	} {
		c := s.Dial("/benchmark_helper")
		if c.Send(ws.OpText, order); !strings.HasPrefix(c.Next().String(), want) {
			t.Errorf("%s: want %s", order, want)
		}
	}
}

// What receive sends is bounded, whatever a message may have.
func TestBenchmarkHelperIsBounded(t *testing.T) {
	for _, most := range []int{-1, helperMost + 1} {
		s := websockettest.NewServer(map[string]websocket.Route{"/": {Message: benchmark, Limits: websocket.Limits{MaxMessage: most}}})
		c := s.Dial("/")
		c.Send(ws.OpText, "receive 67108865")
		if got, want := c.Frames(), `close 1008 "receive: at most 67108864"`; got != want {
			t.Errorf("with --max-message %d: got %.100s, want %s", most, got, want)
		}
	}
}

// /slow takes its rate in a second, however much arrives at once.
func TestSlow(t *testing.T) {
	s := serveTable(t)
	c := s.Dial("/slow?rate=1000")
	for range 50 {
		c.Send(ws.OpBinary, strings.Repeat("x", 994)) // 1,002 bytes
	}
	c.Send(ws.OpPing, "end")
	s.Advance(45 * time.Second)
	if got := c.Frames(); got != "" {
		t.Errorf("after 45 s: got %s", got)
	}
	s.Advance(15 * time.Second)
	if got := c.Frames(); got != `pong "end"` {
		t.Errorf("after 60 s: got %q", got)
	}
	c = s.Dial("/slow?rate=1000")
	c.Send(ws.OpBinary, strings.Repeat("x", 49_992)) // 50,000 bytes at once
	c.Send(ws.OpPing, "end")
	s.Advance(49 * time.Second)
	if got := c.Frames(); got != "" {
		t.Errorf("after 49 s: got %s", got)
	}
	s.Advance(2 * time.Second)
	if got := c.Frames(); got != `pong "end"` {
		t.Errorf("after 51 s: got %q", got)
	}
	for _, bad := range []string{"0", "-1", "x", "1000000001", ""} {
		if r := s.Dial("/slow?rate=" + bad).Response(); r.StatusCode != 400 {
			t.Errorf("rate %q: got status %d", bad, r.StatusCode)
		}
	}
}

func TestDiscard(t *testing.T) {
	c := serveTable(t).Dial("/discard")
	c.Send(ws.OpText, "a")
	c.SendClose(1000, "")
	if got := c.Frames(); got != `close 1000 ""` {
		t.Errorf("got %s", got)
	}
}

// described takes the descriptions that came, and the frame behind them.
func described(t *testing.T, c *websockettest.Client) (all []description, end string) {
	t.Helper()
	for f := c.Next(); f != (websockettest.Frame{}); f = c.Next() {
		var d description
		if f.Op != ws.OpText {
			return all, f.String()
		}
		if err := json.Unmarshal([]byte(f.Payload), &d); err != nil {
			t.Fatalf("%v in %s", err, f.Payload)
		}
		all = append(all, d)
	}
	return all, ""
}

func TestFrames(t *testing.T) {
	long := ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewBinaryFrame(make([]byte, 300)), [4]byte{1, 2, 3, 4}))
	for name, x := range map[string]struct {
		pieces []string
		want   description
		end    string
	}{
		"whole":     {[]string{"\x81\x82abcdhi"}, description{FIN: true, Opcode: 1, Type: "text", Length: 2, LengthBits: 7, Shortest: true, Masked: true, Mask: "61626364", Header: "818261626364", Reads: []int{8}, Complete: true}, ""},
		"cut":       {[]string{"\x82", "\x83\x00\x00", "\x00\x00a", "bc"}, description{FIN: true, Opcode: 2, Type: "binary", Length: 3, LengthBits: 7, Shortest: true, Masked: true, Mask: "00000000", Header: "828300000000", Reads: []int{1, 3, 3, 2}, Complete: true}, ""},
		"fragment":  {[]string{"\x01\x80\x00\x00\x00\x00"}, description{Opcode: 1, Type: "text", LengthBits: 7, Shortest: true, Masked: true, Mask: "00000000", Header: "018000000000", Reads: []int{6}, Complete: true}, ""},
		"16 bits":   {[]string{string(long[:9]), string(long[9:])}, description{FIN: true, Opcode: 2, Type: "binary", Length: 300, LengthBits: 16, Shortest: true, Masked: true, Mask: "01020304", Header: "82fe012c01020304", Reads: []int{9, 299}, Complete: true}, ""},
		"ping":      {[]string{"\x89\x80\x00\x00\x00\x00"}, description{FIN: true, Opcode: 9, Type: "ping", LengthBits: 7, Shortest: true, Masked: true, Mask: "00000000", Header: "898000000000", Reads: []int{6}, Complete: true}, `pong ""`},
		"close":     {[]string{"\x88\x82\x00\x00\x00\x00\x03\xe8"}, description{FIN: true, Opcode: 8, Type: "close", Length: 2, LengthBits: 7, Shortest: true, Masked: true, Mask: "00000000", Header: "888200000000", Reads: []int{8}, Complete: true}, `close 1000 ""`},
		"RSV":       {[]string{"\xf1\x80\x00\x00\x00\x00"}, description{FIN: true, RSV: 7, Opcode: 1, Type: "text", LengthBits: 7, Shortest: true, Masked: true, Mask: "00000000", Header: "f18000000000", Reads: []int{6}, Complete: true}, `close 1002`},
		"RSV, cut":  {[]string{"\xc1"}, description{FIN: true, RSV: 4, Opcode: 1, Type: "text", LengthBits: 7, Shortest: true, Header: "c1", Reads: []int{1}, Error: "non-zero rsv bits with no extension negotiated"}, `close 1002`},
		"reserved":  {[]string{"\x83\x80\x00\x00\x00\x00"}, description{FIN: true, Opcode: 3, Type: "reserved", LengthBits: 7, Shortest: true, Masked: true, Mask: "00000000", Header: "838000000000", Reads: []int{6}, Complete: true}, `close 1002`},
		"unmasked":  {[]string{"\x81\x02hi"}, description{FIN: true, Opcode: 1, Type: "text", Length: 2, LengthBits: 7, Shortest: true, Header: "8102", Reads: []int{4}, Complete: true}, `close 1002`},
		"long form": {[]string{"\x82\xfe\x00\x01\x00\x00\x00\x00x"}, description{FIN: true, Opcode: 2, Type: "binary", Length: 1, LengthBits: 16, Masked: true, Mask: "00000000", Header: "82fe000100000000", Reads: []int{9}, Complete: true}, `close 1002 "frame length not in its shortest form"`},
		"top bit":   {[]string{"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"}, description{FIN: true, Opcode: 2, Type: "binary", Length: 1<<63 + 1, LengthBits: 64, Shortest: true, Masked: true, Mask: "00000000", Header: "82ff800000000000000100000000", Reads: []int{14}, Error: "frame length with its top bit set"}, `close 1002`},
		"too long":  {[]string{"\x82\xff\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00x"}, description{FIN: true, Opcode: 2, Type: "binary", Length: 1 << 30, LengthBits: 64, Shortest: true, Masked: true, Mask: "00000000", Header: "82ff000000004000000000000000", Reads: []int{15}, Error: "message too big"}, `close 1009`},
	} {
		c := serveTable(t).Dial("/frames")
		for _, p := range x.pieces {
			c.Write([]byte(p))
		}
		all, end := described(t, c)
		if len(all) != 1 || !strings.HasPrefix(end, x.end) || x.end == "" && end != "" {
			t.Errorf("%s: got %+v, then %s", name, all, end)
			continue
		}
		got := all[0]
		if got.Began.IsZero() || got.Ended.Before(got.Began) || time.Since(got.Began) > time.Minute {
			t.Errorf("%s: began %v, ended %v", name, got.Began, got.Ended)
		}
		got.Began, got.Ended = time.Time{}, time.Time{}
		if fmt.Sprint(got) != fmt.Sprint(x.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, x.want)
		}
	}
}

// Many short frames in one read: descriptions are longer than what they describe,
// so they leave a part at a time.
func TestFramesInOneRead(t *testing.T) {
	c := serveTable(t).Dial("/frames")
	const n = 10_000
	c.Write([]byte(strings.Repeat("\x82\x80\x00\x00\x00\x00", n) + "\x82\x81\x00"))
	c.Write([]byte("\x00\x00\x00x"))
	all, _ := described(t, c)
	if len(all) != n+1 {
		t.Fatalf("%d descriptions, want %d", len(all), n+1)
	}
	for _, d := range all[:n] {
		if !slices.Equal(d.Reads, []int{6}) {
			t.Fatalf("got reads %v", d.Reads)
		}
	}
	if got := all[n].Reads; !slices.Equal(got, []int{3, 4}) {
		t.Errorf("got reads %v, want 3 and 4", got)
	}
}

// Who does not read the descriptions is not read either.
func TestFramesToASlowReader(t *testing.T) {
	taken := 0
	s := websockettest.NewServer(map[string]websocket.Route{"/": {
		Upgrade: describeFrames,
		Message: func(*websocket.Conn, ws.OpCode, []byte) error { taken++; return nil },
	}})
	c := s.Dial("/")
	c.Stall()
	const n = 10_000
	c.Write([]byte(strings.Repeat("\x82\x80\x00\x00\x00\x00", n)))
	if taken == 0 || taken > 1000 {
		t.Errorf("%d of %d frames were taken", taken, n)
	}
	c.Unstall()
	if all, _ := described(t, c); len(all) != n {
		t.Errorf("%d descriptions, want %d", len(all), n)
	}
}

// A frame in very many reads has its last ones added up.
func TestFrameInManyReads(t *testing.T) {
	c := serveTable(t).Dial("/frames")
	frame := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewBinaryFrame(make([]byte, 120))))
	for _, b := range frame {
		c.Write([]byte{b})
	}
	all, _ := described(t, c)
	if len(all) != 1 || len(all[0].Reads) != readsMost || all[0].Reads[readsMost-1] != len(frame)-readsMost+1 {
		t.Errorf("got %+v", all)
	}
}

// Every path can be asked for with every fault that its own parameters leave.
func TestEveryPathTakesFaults(t *testing.T) {
	_, all, err := table(&Config{Faults: SwitchOn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := serveTable(t)
	for _, l := range all {
		if l.kind() == kindHTTP || strings.Contains(l.path, "{") {
			continue
		}
		c := s.Dial(strings.Replace(l.path, "{name}", "close-unanswered", 1) + "?drop=1&delay=1s&close=4001@2s&seed=3")
		if l.path == "/abort_handshake" || l.path == "/origin_check" {
			continue // end before
		}
		if got := c.Response().Header.Get("X-Echogate-Seed"); got != "3" {
			t.Errorf("%s: got seed %q", l.path, got)
		}
		s.Advance(3 * time.Second)
		got := strings.TrimPrefix(c.Frames(), `text "close me", `) // what an animal sends is raw, and no reply
		if got != `close 4001 ""` && l.path != "/internal_error" && l.path != "/abort" {
			t.Errorf("%s: got %s", l.path, got)
		}
	}
	if s.Buffers() != 0 {
		t.Errorf("%d buffers are left", s.Buffers())
	}
}
