package main

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// sampleKey and sampleAccept are those of RFC 6455 §1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func TestCheckAnswer(t *testing.T) {
	good := "HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: " + sampleAccept
	for _, x := range []struct{ head, want string }{
		{good, ""},
		{strings.ToLower(good[:32]) + good[32:], "answered with \"http/1.1"},
		{strings.Replace(good, "Upgrade: websocket", "UPGRADE:\tWebSocket ", 1), ""},
		{strings.Replace(good, "Connection: Upgrade", "connection: keep-alive, upgrade", 1), ""},
		{strings.Replace(good, "Connection: Upgrade", "Connection: keep-alive|Connection: Upgrade", 1), ""},
		{good + "|Server: any|Date: now", ""},
		{"HTTP/1.1 404 Not Found|Connection: close", `answered with "HTTP/1.1 404 Not Found"`},
		{"HTTP/1.1 301 Moved|Server: x|location: wss://example.org/", `answered with "HTTP/1.1 301 Moved", to "wss://example.org/"`},
		{"HTTP/1.1 1010|" + good, `answered with "HTTP/1.1 1010"`},
		{"", `answered with ""`},
		{"SSH-2.0-OpenSSH_9.9", `answered with "SSH-2.0`},
		{strings.Replace(good, "Upgrade: websocket", "Upgrade: h2c", 1), "without Upgrade"},
		{strings.Replace(good, "|Connection: Upgrade", "", 1), "without Connection"},
		{strings.Replace(good, "Connection: Upgrade", "Connection: upgraded", 1), "without Connection"},
		{strings.Replace(good, "xOo=", "xOO=", 1), "Sec-WebSocket-Accept"},
		{strings.Replace(good, "xOo=", "xOo", 1), "Sec-WebSocket-Accept"},
		{good + "|Sec-WebSocket-Extensions: permessage-deflate", "not offered"},
		{good + "|Sec-WebSocket-Protocol: chat", "not offered"},
		{good + "|no colon", "header line"},
	} {
		err := checkAnswer([]byte(strings.ReplaceAll(x.head, "|", "\r\n")), new(request), [24]byte([]byte(sampleKey)))
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%q: got %v, want %q", x.head, err, x.want)
		}
	}
}

// A server may choose one of the subprotocols that were offered, or none.
func TestCheckSubprotocol(t *testing.T) {
	good := "HTTP/1.1 101 x|Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Accept: " + sampleAccept
	for lines, want := range map[string]string{
		"":                                    "",
		"|Sec-WebSocket-Protocol: chat":       "",
		"|sec-websocket-protocol:\tv2.x ":     "",
		"|Sec-WebSocket-Protocol: Chat":       "not offered",
		"|Sec-WebSocket-Protocol: v2":         "not offered",
		"|Sec-WebSocket-Protocol: chat, v2.x": "not offered",
		"|Sec-WebSocket-Protocol: chat|Sec-WebSocket-Protocol: chat": "not offered",
	} {
		err := checkAnswer([]byte(strings.ReplaceAll(good+lines, "|", "\r\n")), &request{Protocols: "chat, v2.x"}, [24]byte([]byte(sampleKey)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", lines, err, want)
		}
	}
}

// The request is one that net/http understands, with a key of its own for each
// connection and each try.
func TestRequest(t *testing.T) {
	seen := make(map[string]bool)
	for id := range int32(100) {
		for try := range uint32(3) {
			key := nonce(42, id, try)
			b := appendRequest(nil, "example.org:8080", "/echo?a=b", new(request), key)
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
			if err != nil {
				t.Fatalf("%q: %v", b, err)
			}
			got := r.Header.Get("Sec-WebSocket-Key")
			if r.Method != "GET" || r.Host != "example.org:8080" || r.RequestURI != "/echo?a=b" ||
				r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Fatalf("got %q", b)
			}
			if seen[got] || key != nonce(42, id, try) {
				t.Fatalf("key %q of connection %d, try %d: used before, or not made again", got, id, try)
			}
			seen[got] = true
		}
	}
}
