package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

func TestCheckAgreed(t *testing.T) {
	good := "HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: " + sampleAccept + "|Sec-WebSocket-Extensions: "
	for _, x := range []struct{ value, want string }{
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", ""},
		{"permessage-deflate;server_no_context_takeover;server_max_window_bits=8", ""},
		{"permessage-deflate; server_no_context_takeover", ""},
		{"permessage-deflate", "without server_no_context_takeover"},
		{"permessage-deflate; client_no_context_takeover", "without server_no_context_takeover"},
		{"permessage-deflate; server_no_context_takeover=1", "bad parameter"},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", "bad parameter"},
		{"permessage-deflate; server_no_context_takeover; client_max_window_bits=15", "bad parameter"},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=16", "bad parameter"},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits", "bad parameter"},
		{"permessage-deflate; server_no_context_takeover;", "bad parameter"},
		{"permessage-bzip2", "not offered"},
		{"permessage-deflate; server_no_context_takeover|Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover", "not offered"},
	} {
		err := checkAnswer([]byte(strings.ReplaceAll(good+x.value, "|", "\r\n")), &request{Extensions: deflateOffer}, [24]byte([]byte(sampleKey)))
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%q: got %v, want %q", x.value, err, x.want)
		}
	}
	bare := strings.TrimSuffix(good, "|Sec-WebSocket-Extensions: ")
	if err := checkAnswer([]byte(strings.ReplaceAll(bare, "|", "\r\n")), &request{Extensions: deflateOffer}, [24]byte([]byte(sampleKey))); err == nil {
		t.Error("an offer without an answer was taken for good")
	}
}

// packedFrames are frames of a server, each compressed if it is to be.
func packedFrames(list ...ws.Frame) []byte {
	var b []byte
	for _, f := range list {
		b = append(b, ws.MustCompileFrame(f)...)
	}
	return b
}

func packedFrame(op ws.OpCode, fin bool, z []byte) ws.Frame {
	f := ws.NewFrame(op, fin, z)
	if op != ws.OpContinuation {
		f.Header.Rsv = ws.Rsv(true, false, false)
	}
	return f
}

// packedConversations are what servers may answer to three messages.
func packedConversations(s *stream) map[string][]byte {
	p, bin, cont := s.payload(0), ws.OpBinary, ws.OpContinuation
	z := deflated(p)
	whole, half := packedFrame(bin, true, z), len(z)/2
	return map[string][]byte{
		"one frame each": packedFrames(whole, whole, whole),
		"as they are":    packedFrames(ws.NewFrame(bin, true, p), whole, ws.NewFrame(bin, true, p)),
		"fragments":      packedFrames(packedFrame(bin, false, z[:half]), ws.NewFrame(cont, true, z[half:]), whole, packedFrame(bin, false, nil), ws.NewFrame(cont, true, z)),
		"control frames between": packedFrames(ws.NewPingFrame(nil), packedFrame(bin, false, z[:half]), ws.NewPingFrame([]byte("a")),
			ws.NewFrame(cont, true, z[half:]), whole, ws.NewPongFrame(nil), whole),
	}
}

// However the bytes of a compressed answer are cut, the same comes out.
func TestPackedVerificationDoesNotDependOnCuts(t *testing.T) {
	for _, size := range []int{0, 1, 100, 1000} {
		for name := range packedConversations(newPackedStream(ws.OpBinary, jsonPayload(size), 1)) {
			s := newPackedStream(ws.OpBinary, jsonPayload(size), 1)
			wire := packedConversations(s)[name]
			for i := range wire {
				if messages, _, f := verified(s, wire[:i], wire[i:]); messages != 3 || f != nil {
					t.Fatalf("%d bytes, %s, cut at %d: got %d messages, %v", size, name, i, messages, f)
				}
			}
		}
	}
}

// What does not inflate to the message is noticed, and so are bits that a message
// may not have, whatever was learnt before.
func TestWrongCompressionIsNoticed(t *testing.T) {
	s := newPackedStream(ws.OpBinary, jsonPayload(500), 1)
	p := bytes.Clone(s.payload(0))
	good := packedFrames(packedFrame(ws.OpBinary, true, deflated(p)))
	if n, _, f := verified(s, good); n != 1 || f != nil || s.repeats(0, append(good, good...)) != 2 {
		t.Fatalf("got %d messages, %v", n, f)
	}
	p[17]++
	z := deflated(s.payload(0))
	ping := packedFrame(ws.OpPing, true, nil)
	for name, wire := range map[string][]byte{
		"another message":       packedFrames(packedFrame(ws.OpBinary, true, deflated(p))),
		"a shorter one":         packedFrames(packedFrame(ws.OpBinary, true, deflated(s.payload(0)[:499]))),
		"a longer one":          packedFrames(packedFrame(ws.OpBinary, true, deflated(append(bytes.Clone(s.payload(0)), 'x')))),
		"no DEFLATE":            packedFrames(packedFrame(ws.OpBinary, true, []byte("\xff\xff"))),
		"truncated":             packedFrames(packedFrame(ws.OpBinary, true, z[:len(z)-9])),
		"another opcode":        packedFrames(packedFrame(ws.OpText, true, deflated(s.payload(0)))),
		"RSV1 on a ping":        packedFrames(ping),
		"RSV1 on a fragment":    append(packedFrames(packedFrame(ws.OpBinary, false, nil)), 0xc0, 0),
		"RSV2":                  {0xa2, 0},
		"endlessly much of it":  packedFrames(packedFrame(ws.OpBinary, true, make([]byte, 10_000))),
		"not compressed, wrong": packedFrames(ws.NewFrame(ws.OpBinary, true, p)),
	} {
		if _, _, f := verified(s, good, wire); f == nil {
			t.Errorf("%s: nobody says so", name)
		}
	}
}

// compressed makes a test server one that agrees on compression.
func compressed(s *testServer) {
	s.state = ws.StateExtended
	s.upgrade = func(c net.Conn) error {
		e := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
		_, err := ws.Upgrader{Negotiate: e.Negotiate}.Upgrade(c)
		return err
	}
}

func TestEchoCompressed(t *testing.T) {
	for _, x := range []struct {
		name   string
		answer answer
	}{
		{"compressed", func(c net.Conn, _ int64, f ws.Frame) error {
			p, err := wsflate.DecompressFrame(f)
			if err != nil {
				return err
			}
			if p, err = wsflate.CompressFrame(ws.NewFrame(p.Header.OpCode, true, p.Payload)); err != nil {
				return err
			}
			return ws.WriteFrame(c, p)
		}},
		{"as it is", func(c net.Conn, _ int64, f ws.Frame) error {
			p, err := wsflate.DecompressFrame(f)
			if err != nil {
				return err
			}
			return ws.WriteFrame(c, ws.NewFrame(p.Header.OpCode, true, p.Payload))
		}},
	} {
		for _, size := range []int{0, 64, 1000, 100_000} {
			t.Run(fmt.Sprint(x.name, " ", size), func(t *testing.T) {
				s := startServer(t, x.answer, compressed)
				d := small(modeEcho, func(d *load) { d.Messages, d.Size, d.Pipeline, d.Compression = 301, size, 3, true })
				r := measureServers(t, d, s.url())
				if r.Count != 301 || r.Bytes != 301*int64(size) || r.Errors != 0 || r.Lost != 0 {
					t.Errorf("got %d messages, %d bytes, %d errors, %d lost; notes: %q", r.Count, r.Bytes, r.Errors, r.Lost, r.Notes)
				}
			})
		}
	}
}

// The other modes in which messages may be compressed.
func TestModesCompressed(t *testing.T) {
	s := startServer(t, func(c net.Conn, _ int64, f ws.Frame) error {
		p, err := wsflate.DecompressFrame(f)
		if err != nil {
			return err
		}
		if p, err = wsflate.CompressFrame(ws.NewFrame(p.Header.OpCode, true, p.Payload)); err != nil {
			return err
		}
		return ws.WriteFrame(c, p)
	}, compressed)
	for mode, args := range map[string][]string{"rate": {"--rate", "300"}, "idle": {"--probes", "100"}} {
		r := result(t, append([]string{mode, "-c", "3", "-d", "300ms", "--size", "1KiB", "--compression", s.url()}, args...)...)
		if r.Count < 3 || r.Errors != 0 || r.Lost != 0 {
			t.Errorf("%s: got %d messages, %d errors, %d lost; notes: %q", mode, r.Count, r.Errors, r.Lost, r.Notes)
		}
	}
}

// A server that does not agree is not measured as if it had.
func TestEchoNotCompressed(t *testing.T) {
	s := startServer(t, echo)
	r := measureServers(t, small(modeEcho, func(d *load) { d.Messages, d.Compression = 10, true }), s.url())
	if r.Count != 0 {
		t.Errorf("%d messages were counted", r.Count)
	}
	wantErrors(t, r, KindUpgrade, r.Errors)
	if r.Errors == 0 || !strings.Contains(fmt.Sprint(r.Notes), "without permessage-deflate") {
		t.Errorf("got %d errors, notes %q", r.Errors, r.Notes)
	}
}
