//go:build linux

package main

import (
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
	for key, want := range map[string]any{
		"route": "/echo", "addr": conn.LocalAddr().String(), "cause": "peer",
		"close_sent": 1000.0, "close_received": 1000.0, "messages": 1.0,
	} {
		if line[key] != want {
			t.Errorf("%s: got %v, want %v", key, line[key], want)
		}
	}
}
