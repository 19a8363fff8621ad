//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// offers is a client of gobwas/ws that offers permessage-deflate; agreed is what
// the gateway answered.
func offers(t *testing.T, url string, p wsflate.Parameters) (conn net.Conn, agreed wsflate.Parameters) {
	t.Helper()
	d := ws.Dialer{Timeout: 10 * time.Second, Extensions: []httphead.Option{p.Option()}}
	conn, rest, shake, err := d.Dial(t.Context(), url)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	t.Cleanup(func() { conn.Close() })
	if rest != nil {
		t.Fatalf("dial %s: the gateway sent %d bytes unasked", url, rest.Buffered())
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if len(shake.Extensions) != 1 || agreed.Parse(shake.Extensions[0]) != nil {
		t.Fatalf("dial %s: got extensions %v", url, shake.Extensions)
	}
	return conn, agreed
}

// sendPacked sends a message compressed by wsflate.
func sendPacked(t *testing.T, conn net.Conn, op ws.OpCode, p string) {
	t.Helper()
	f, err := wsflate.CompressFrame(ws.NewFrame(op, true, []byte(p)))
	if err == nil {
		err = ws.WriteFrame(conn, ws.MaskFrameInPlace(f))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// next reads a frame, inflated if it is compressed.
func next(t *testing.T, conn net.Conn) (f ws.Frame, compressed bool) {
	t.Helper()
	h, err := ws.ReadHeader(conn)
	if err != nil || h.Length > 4<<20 {
		t.Fatalf("got header %+v, %v", h, err)
	}
	f = ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(conn, f.Payload); err != nil {
		t.Fatal(err)
	}
	if f.Header.Rsv&4 == 0 {
		return f, false
	}
	f.Payload, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(f.Payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	if err != nil {
		t.Fatal(err)
	}
	return f, true
}

// wantMessage reads a message, which is compressed or is not.
func wantMessage(t *testing.T, conn net.Conn, op ws.OpCode, p string, compressed bool) {
	t.Helper()
	f, got := next(t, conn)
	if f.Header.OpCode != op || string(f.Payload) != p || got != compressed {
		t.Fatalf("got %v %.80q, compressed %v, want %v %.80q, compressed %v", f.Header.OpCode, f.Payload, got, op, p, compressed)
	}
}

// prose is n bytes that compress well.
func prose(n int) string {
	return strings.Repeat("All work and no play makes a dull message. ", n/43+1)[:n]
}

func TestDeflate(t *testing.T) {
	want := wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
	host := startGateway(t)
	conn, agreed := offers(t, "ws://"+host+"/deflate", wsflate.Parameters{})
	if agreed != want {
		t.Errorf("got %+v, want %+v", agreed, want)
	}
	for _, n := range []int{0, 1, 255, 256, 1 << 10, 100_000, 1 << 20} {
		sendPacked(t, conn, ws.OpText, prose(n))
		wantMessage(t, conn, ws.OpText, prose(n), n >= 256)
		send(t, conn, ws.OpBinary, prose(n))
		wantMessage(t, conn, ws.OpBinary, prose(n), n >= 256)
	}
	sendPacked(t, conn, ws.OpText, "Goodbye")
	wantMessage(t, conn, ws.OpText, "Goodbye", false)
	wantFrame(t, conn, ws.OpClose, "\x03\xe8")

	conn, agreed = offers(t, "ws://"+host+"/deflate", wsflate.Parameters{ServerMaxWindowBits: 10})
	if want.ServerMaxWindowBits = 10; agreed != want {
		t.Errorf("got %+v, want %+v", agreed, want)
	}
	sendPacked(t, conn, ws.OpText, prose(10_000))
	wantMessage(t, conn, ws.OpText, prose(10_000), true)
}

// Who agrees is what --compression and the routes say.
func TestCompressionFlag(t *testing.T) {
	for _, flag := range []string{"off", "on"} {
		host := startGateway(t, "--compression", flag)
		for path, want := range map[string]bool{
			"/echo": flag == "on", "/": flag == "on", "/.ws": flag == "on", "/echo?dup=1": flag == "on", "/frames": flag == "on",
			"/deflate": true, "/deflate?goodbye=0": true, "/deflate?delay=10ms": true, "/echo_noext": false, "/zoo/close-empty": false,
		} {
			r := handshake(t, host, path, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
			if got := strings.Contains(r, "\r\nSec-WebSocket-Extensions: permessage-deflate"); got != want || !strings.HasPrefix(r, "HTTP/1.1 101 ") {
				t.Errorf("--compression %s, %s: got %q", flag, path, r)
			}
		}
	}
}

func TestCompressionThreshold(t *testing.T) {
	host := startGateway(t, "--compression-threshold", "10KB", "--compression-level", "9")
	conn, _ := offers(t, "ws://"+host+"/deflate", wsflate.Parameters{})
	for _, n := range []int{9_999, 10_000} {
		sendPacked(t, conn, ws.OpBinary, prose(n))
		wantMessage(t, conn, ws.OpBinary, prose(n), n == 10_000)
	}
}

// Faults are of messages: what one touches leaves as it is, which a client may
// always be sent (RFC 7692 §6.1), the others compressed.
func TestFaultsOnCompressed(t *testing.T) {
	host := startGateway(t)
	conn, _ := offers(t, "ws://"+host+"/deflate?fragment=400", wsflate.Parameters{})
	sendPacked(t, conn, ws.OpText, prose(300))
	wantMessage(t, conn, ws.OpText, prose(300), true)
	sendPacked(t, conn, ws.OpText, prose(1000))
	var all []byte
	for {
		f, compressed := next(t, conn)
		if compressed {
			t.Fatalf("got %+v compressed", f.Header)
		}
		if all = append(all, f.Payload...); f.Header.Fin {
			break
		}
	}
	if string(all) != prose(1000) {
		t.Errorf("got %.80q", all)
	}
	conn, _ = offers(t, "ws://"+host+"/deflate?corrupt=1&seed=1", wsflate.Parameters{})
	sendPacked(t, conn, ws.OpBinary, prose(1000))
	if f, compressed := next(t, conn); compressed || len(f.Payload) != 1000 || string(f.Payload) == prose(1000) {
		t.Errorf("got %+v, compressed %v, want 1000 bytes with one bit turned", f.Header, compressed)
	}
}

// A frame is described as it came, and its description is compressed.
func TestFramesOnCompressed(t *testing.T) {
	host := startGateway(t, "--compression", "on", "--compression-threshold", "64")
	conn, _ := offers(t, "ws://"+host+"/frames", wsflate.Parameters{})
	sendPacked(t, conn, ws.OpText, prose(5000))
	f, compressed := next(t, conn)
	var d description
	if err := json.Unmarshal(f.Payload, &d); err != nil || !compressed {
		t.Fatalf("got %q, compressed %v, %v", f.Payload, compressed, err)
	}
	if d.RSV != 4 || !d.FIN || d.Type != "text" || d.Length > 500 || !d.Complete || d.Error != "" {
		t.Errorf("got %+v", d)
	}
}

// An alias has the compression of its target, wherever it is given: so a file can
// say of each path whether it compresses.
func TestCompressionOfAliases(t *testing.T) {
	file := filepath.Join(t.TempDir(), "echogate.yaml")
	for flag, paths := range map[string]map[string]bool{
		"off": {"/echo": false, "/packed": true, "/packed/slow": true, "/plain": false},
		"on":  {"/echo": true, "/packed": true, "/packed/slow": true, "/plain": false},
	} {
		text := "compression: " + flag + "\nalias: [/packed=/deflate, '/packed/slow=/deflate?delay=1ms', /plain=/echo_noext]\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		host := startGateway(t, "--config", file)
		for path, want := range paths {
			r := handshake(t, host, path, "Sec-WebSocket-Extensions: permessage-deflate")
			if got := strings.Contains(r, "permessage-deflate"); got != want || !strings.HasPrefix(r, "HTTP/1.1 101 ") {
				t.Errorf("compression: %s, %s: got %q", flag, path, r)
			}
		}
	}
}

// Offers are read over all header lines, in any case of the name; a bad one is no
// reason to refuse the connection.
func TestOffers(t *testing.T) {
	host := startGateway(t)
	answer := "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, x := range []struct {
		lines []string
		want  string // what follows the name; empty: no extension is answered
	}{
		{[]string{"SEC-WEBSOCKET-EXTENSIONS: foo", "sec-websocket-extensions: permessage-deflate; server_max_window_bits=12"}, "; server_max_window_bits=12\r\n"},
		{[]string{"Sec-WebSocket-Extensions: permessage-deflate; mystery=1, permessage-deflate; client_max_window_bits"}, "\r\n"},
		{[]string{"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8"}, ""},
		{[]string{"Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions: ;;"}, ""},
	} {
		r := handshake(t, host, "/deflate", x.lines...)
		if good := strings.HasPrefix(r, "HTTP/1.1 101 "); !good || x.want != "" && !strings.Contains(r, answer+x.want) || x.want == "" && strings.Contains(r, "Extensions") {
			t.Errorf("%q: got %q", x.lines, r)
		}
	}
}

// What SIGHUP brings is for who comes from then on; a connection keeps what it has
// agreed on, and the threshold, of which nothing was agreed, changes at once.
func TestSIGHUPChangesCompression(t *testing.T) {
	file := filepath.Join(t.TempDir(), "echogate.yaml")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	offer := "Sec-WebSocket-Extensions: permessage-deflate"
	configure("compression: on\n")
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--config", file)
	url := "ws://" + p.host + "/echo"
	old, _ := offers(t, url, wsflate.Parameters{})
	echoes := func(compressed bool) {
		t.Helper()
		sendPacked(t, old, ws.OpText, prose(1000))
		wantMessage(t, old, ws.OpText, prose(1000), compressed)
	}
	echoes(true)

	configure("compression: off\n")
	p.hangup(t, "configuration reloaded")
	echoes(true)
	if r := handshake(t, p.host, "/echo", offer); strings.Contains(r, "permessage-deflate") {
		t.Errorf("switched off, got %q", r)
	}
	plain, _ := dial(t, url)

	configure("compression: on\ncompression-threshold: 2KiB\ncompression-level: 9\n")
	p.hangup(t, "configuration reloaded")
	echoes(false)
	if r := handshake(t, p.host, "/echo", offer); !strings.Contains(r, "permessage-deflate") {
		t.Errorf("switched on again, got %q", r)
	}
	send(t, plain, ws.OpText, prose(5000))
	wantFrame(t, plain, ws.OpText, prose(5000))

	configure("compression-level: 11\n")
	line := p.hangup(t, "new configuration refused, the old one stays")
	if err, _ := line["err"].(string); !strings.Contains(err, "1: compression-level: 11 is out of range") {
		t.Errorf("refused with %q", err)
	}
	echoes(false)
}

// A take-over lets compressed connections go in order, and the new process agrees
// on what the old one did.
func TestTakeOverOfCompressed(t *testing.T) {
	p := handedOn(t, nil, "--drain", "50ms", "--compression", "on")
	old, _ := offers(t, "ws://"+p.host+"/echo", wsflate.Parameters{})
	sendPacked(t, old, ws.OpText, prose(1000))
	wantMessage(t, old, ws.OpText, prose(1000), true)
	pid := p.takeOver(t, p.Process.Pid)
	wantFrame(t, old, ws.OpClose, "\x03\xe9going away")
	send(t, old, ws.OpClose, "\x03\xe9")
	young, _ := offers(t, "ws://"+p.host+"/echo", wsflate.Parameters{})
	sendPacked(t, young, ws.OpText, prose(1000))
	wantMessage(t, young, ws.OpText, prose(1000), true)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, young, ws.OpClose, "\x03\xe9going away")
	send(t, young, ws.OpClose, "\x03\xe9")
	if code := p.ended(t); code != exitOK {
		t.Errorf("the first process: got exit code %d, want %d", code, exitOK)
	}
}

// handshake is the head that an upgrade of path with more header lines is answered
// with.
func handshake(t *testing.T, host, path string, more ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n\r\n", path, strings.Join(more, "\r\n"))
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b...) {
		if _, err := conn.Read(b); err != nil {
			t.Fatalf("%s: got %q, %v", path, head, err)
		}
	}
	return string(head)
}
