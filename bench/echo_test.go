package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestEchoCountsEveryMessage(t *testing.T) {
	for _, x := range []struct {
		name string
		load func(*load)
	}{
		{"one at a time", func(*load) {}},
		{"pipelined", func(d *load) { d.Pipeline = 16 }},
		{"a batch beyond the ring", func(d *load) { d.Pipeline = 100 }},
		{"text", func(d *load) { d.Text = true }},
		{"empty", func(d *load) { d.Size = 0 }},
		{"16-bit length", func(d *load) { d.Size = 126 }},
		{"64-bit length", func(d *load) { d.Size = 70_000; d.Pipeline = 3 }},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := small(modeEcho, func(d *load) { d.Messages = 1001; x.load(d) })
			s := startServer(t, echo)
			r := measureServers(t, d, s.url())
			if r.Count != 1001 || r.Latency.Count != 1001 || r.Bytes != 1001*int64(d.Size) {
				t.Errorf("got %d messages, %d latencies, %d bytes, want 1001 of %d bytes", r.Count, r.Latency.Count, r.Bytes, d.Size)
			}
			if got := s.frames.Load(); got != 1001 {
				t.Errorf("the server got %d messages, want 1001", got)
			}
			if r.Latency.P50 <= 0 || r.Latency.Max > Micros(r.Duration) {
				t.Errorf("got p50 %v, max %v in a run of %v", time.Duration(r.Latency.P50), time.Duration(r.Latency.Max), time.Duration(r.Duration))
			}
			if r.Upgrades != 4 || r.Errors != 0 || r.Lost != 0 {
				t.Errorf("got %d upgrades, %d errors, %d lost, want 4, 0, 0; notes: %q", r.Upgrades, r.Errors, r.Lost, r.Notes)
			}
		})
	}
}

// What a server may do besides sending back one frame for each.
func TestOtherFramingsAreVerified(t *testing.T) {
	fragments := func(size int) answer {
		return func(c net.Conn, _ int64, f ws.Frame) error {
			op, p := f.Header.OpCode, f.Payload
			for len(p) > size {
				if err := ws.WriteFrame(c, ws.NewFrame(op, false, p[:size])); err != nil {
					return err
				}
				op, p = ws.OpContinuation, p[size:]
			}
			return ws.WriteFrame(c, ws.NewFrame(op, true, p))
		}
	}
	for name, a := range map[string]answer{
		"fragments":       fragments(7),
		"large fragments": fragments(40),
		"an empty fragment at the end": func(c net.Conn, n int64, f ws.Frame) error {
			if err := ws.WriteFrame(c, ws.NewFrame(f.Header.OpCode, false, f.Payload)); err != nil {
				return err
			}
			return ws.WriteFrame(c, ws.NewFrame(ws.OpContinuation, true, nil))
		},
		"fragments at times": func(c net.Conn, n int64, f ws.Frame) error {
			if n%3 == 0 {
				return fragments(10)(c, n, f)
			}
			return echo(c, n, f)
		},
		"pings between": func(c net.Conn, n int64, f ws.Frame) error {
			if err := ws.WriteFrame(c, ws.NewPingFrame([]byte("are you there"))); err != nil {
				return err
			}
			return echo(c, n, f)
		},
		"byte by byte": func(c net.Conn, n int64, f ws.Frame) error {
			for _, b := range ws.MustCompileFrame(ws.NewFrame(f.Header.OpCode, true, f.Payload)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := small(modeEcho, func(d *load) { d.Messages = 500; d.Pipeline = 5 })
			r := measureServers(t, d, startServer(t, a).url())
			if r.Count != 500 || r.Errors != 0 {
				t.Errorf("got %d messages and %d errors, want 500 and none; notes: %q", r.Count, r.Errors, r.Notes)
			}
		})
	}
}

// fault is something that a server must not do.
type fault struct {
	name  string
	fault answer
	kind  Kind
	note  string
}

func faults() []fault {
	payload := func(change func(p []byte) []byte) answer {
		return func(c net.Conn, n int64, f ws.Frame) error {
			return ws.WriteFrame(c, ws.NewFrame(f.Header.OpCode, true, change(f.Payload)))
		}
	}
	raw := func(b ...byte) answer {
		return func(c net.Conn, _ int64, _ ws.Frame) error {
			_, err := c.Write(b)
			return err
		}
	}
	return []fault{
		{"one wrong byte", payload(func(p []byte) []byte { p[63] ^= 1; return p }), KindCorrupt, "byte 63 is 0x"},
		{"first byte wrong", payload(func(p []byte) []byte { p[0] ^= 0x80; return p }), KindCorrupt, "byte 0 is 0x"},
		{"too long", payload(func(p []byte) []byte { return append(p, 0) }), KindCorrupt, "is 1 bytes longer"},
		{"too short", payload(func(p []byte) []byte { return p[:63] }), KindCorrupt, "is 63 bytes, 64 were sent"},
		{"other opcode", func(c net.Conn, n int64, f ws.Frame) error {
			return ws.WriteFrame(c, ws.NewTextFrame(f.Payload))
		}, KindCorrupt, "opcode 1, was sent as 2"},
		{"twice", func(c net.Conn, n int64, f ws.Frame) error {
			b := ws.MustCompileFrame(ws.NewBinaryFrame(f.Payload))
			_, err := c.Write(append(b, b...))
			return err
		}, KindCorrupt, ""},
		{"masked", raw(0x82, 0x80, 1, 2, 3, 4), KindProtocol, "masked"},
		{"reserved bit", raw(0xc2, 0), KindProtocol, "rsv"},
		{"reserved opcode", raw(0x83, 0), KindProtocol, "reserved"},
		{"length not minimal", raw(0x82, 126, 0, 64), KindProtocol, "shortest"},
		{"stray continuation", raw(0x80, 0), KindProtocol, "continuation"},
		{"close frame", raw(0x88, 2, 0x03, 0xe9), KindClosed, "1001"},
		{"end of stream", func(net.Conn, int64, ws.Frame) error { return io.EOF }, KindEOF, ""},
		{"reset", func(c net.Conn, _ int64, _ ws.Frame) error {
			_ = c.(*net.TCPConn).SetLinger(0)
			return io.EOF
		}, KindReset, ""},
	}
}

// One connection of four meets a fault: it is lost with the right kind, and the
// others go on to the last message.
func TestFaultsAreNamed(t *testing.T) {
	for _, x := range faults() {
		t.Run(x.name, func(t *testing.T) {
			s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
				if n == 50 {
					return x.fault(c, n, f)
				}
				return echo(c, n, f)
			})
			r := measureServers(t, small(modeEcho, func(d *load) { d.Messages = 1000 }), s.url())
			wantErrors(t, r, x.kind, 1)
			if r.Lost != 1 || len(r.Losses) != 1 || r.Losses[0].Kind != x.kind {
				t.Errorf("got %d lost: %v, want one of kind %v", r.Lost, r.Losses, x.kind)
			}
			if r.Count < 990 || r.Count > 999 {
				t.Errorf("got %d messages, want nearly all of 1000", r.Count)
			}
			if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, x.note) {
				t.Errorf("got notes %q, want %q in them", notes, x.note)
			}
		})
	}
}

// Empty messages are all the same: that there is one too many is seen by their
// number.
func TestOneEchoTooMany(t *testing.T) {
	for name, extra := range map[string][]byte{
		"whole":     {0x82, 0, 0x82, 0},
		"fragments": {0x82, 0, 0x02, 0, 0x80, 0},
		"begun":     {0x82, 0, 0x02, 0},
	} {
		s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
			if n == 9 {
				_, err := c.Write(extra)
				return err
			}
			return echo(c, n, f)
		})
		d := small(modeEcho, func(d *load) { d.Size = 0; d.Connections = 1; d.Messages = 10 })
		r := measureServers(t, d, s.url())
		wantErrors(t, r, KindCorrupt, 1)
		if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "never sent") {
			t.Errorf("%s: got notes %q", name, notes)
		}
	}
}

// A server that does not answer costs its connections, not the run.
func TestSilentServerTimesOut(t *testing.T) {
	s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
		if n >= 100 {
			return nil
		}
		return echo(c, n, f)
	})
	r := measureServers(t, small(modeEcho, func(d *load) { d.Timeout = 300 * time.Millisecond }), s.url())
	wantErrors(t, r, KindTimeout, 4)
	if r.Count != 100 {
		t.Errorf("got %d messages, want the 100 that were answered", r.Count)
	}
}

// Pings are answered with their payload, each once and in their order.
func TestPongs(t *testing.T) {
	pongs := make(chan string, 10)
	s := startServer(t, echo, func(s *testServer) {
		s.opened = func(c net.Conn) error {
			var b []byte
			for _, p := range []string{"", "one", strings.Repeat("x", 125)} {
				b = append(b, ws.MustCompileFrame(ws.NewPingFrame([]byte(p)))...)
			}
			_, err := c.Write(b)
			return err
		}
		s.pong = func(payload []byte) { pongs <- string(payload) }
	})
	r := measureServers(t, small(modeEcho, func(d *load) { d.Connections = 1; d.Messages = 10 }), s.url())
	if r.Count != 10 || r.Errors != 0 {
		t.Errorf("got %d messages and %d errors, want 10 and none", r.Count, r.Errors)
	}
	for _, want := range []string{"", "one", strings.Repeat("x", 125)} {
		select {
		case got := <-pongs:
			if got != want {
				t.Errorf("got pong %q, want %q", got, want)
			}
		case <-time.After(waitAtMost):
			t.Fatalf("no pong %q", want)
		}
	}
}
