package admin

import (
	"strings"
	"testing"

	"echogate/poller/websocket"
)

// Above --ready-connections the gateway is alive and not ready.
func TestReady(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	echoed(t, g.dial(t, "/echo"), "one")
	echoed(t, g.dial(t, "/echo"), "two")
	for _, tt := range []struct {
		most, want int
		body       string
	}{
		{0, 200, "ok"},
		{2, 200, "ok"},
		{1, 503, "2 connections, more than the 1 of --ready-connections"},
	} {
		g.Set(Options{ReadyConnections: tt.most})
		if w, body := g.ask(t, "GET", "/readyz"); w.StatusCode != tt.want || !strings.Contains(body, tt.body) {
			t.Errorf("at most %d: got status %d %q, want %d %q", tt.most, w.StatusCode, body, tt.want, tt.body)
		}
		if w, body := g.ask(t, "GET", "/healthz"); w.StatusCode != 200 || body != "ok\n" {
			t.Errorf("got status %d %q of /healthz, want 200", w.StatusCode, body)
		}
	}
	g.Leave()
	if w, body := g.ask(t, "GET", "/readyz"); w.StatusCode != 503 || body != "draining\n" {
		t.Errorf("draining: got status %d %q, want 503", w.StatusCode, body)
	}
}
