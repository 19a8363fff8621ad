//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
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
	host := startGateway(t, "--compression", "on")
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
