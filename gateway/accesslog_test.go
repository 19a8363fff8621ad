//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestAccessLogFlag(t *testing.T) {
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--access-log")
	conn, _ := dial(t, "ws://"+p.host+"/echo?secret=1")
	send(t, conn, ws.OpText, "payload")
	wantFrame(t, conn, ws.OpText, "payload")
	send(t, conn, ws.OpClose, "\x03\xe8")
	line := p.waitFor(t, "connection ended")
	for key, least := range map[string]float64{"duration": 0, "bytes_in": 150, "bytes_out": 100} { // a handshake and an echo
		if n, ok := line[key].(float64); !ok || n < least {
			t.Errorf("%s: got %v, want a number from %v on", key, line[key], least)
		}
	}
	if text := fmt.Sprint(line); strings.Contains(text, "secret") || strings.Contains(text, "payload") {
		t.Errorf("got %s, with what the client sent", text)
	}
	for key, want := range map[string]any{
		"route": "/echo", "addr": conn.LocalAddr().String(), "cause": "peer",
		"close_sent": 1000.0, "close_received": 1000.0, "messages": 1.0,
	} {
		if line[key] != want {
			t.Errorf("%s: got %v, want %v", key, line[key], want)
		}
	}
}
