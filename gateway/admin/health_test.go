package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/poller"
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
	if w, body := g.ask(t, "GET", "/readyz"); w.StatusCode != 503 || !strings.HasPrefix(body, "draining\n") {
		t.Errorf("draining: got status %d %q, want 503", w.StatusCode, body)
	}
}

// blocking is a route whose handler keeps its loop until release is called.
func blocking(t *testing.T) (route websocket.Route, release func()) {
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	return websocket.Route{Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		<-gate
		return c.Send(op, p)
	}}, release
}

// A loop blocked on purpose turns /healthz red within five seconds, and the
// answer, the metric and the list of connections say which it is.
func TestBlockedLoop(t *testing.T) {
	route, release := blocking(t)
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}, "/block/{n}": route},
		func(p *poller.Config, _ *Config) { p.Loops = 3 })
	t.Cleanup(release)
	echoed(t, g.dial(t, "/echo"), "one")
	conn := g.dial(t, "/block/1")
	began := time.Now()
	if err := wsutil.WriteClientText(conn, []byte("x")); err != nil {
		t.Fatal(err)
	}
	var reason string
	until(t, "503 of /healthz", func() bool {
		w, body := g.ask(t, "GET", "/healthz")
		reason = body
		return w.StatusCode == 503
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s, want 5 s at most", took)
	}
	var blocked int
	if _, err := fmt.Sscanf(reason, "loop %d ", &blocked); err != nil || !strings.Contains(reason, "/block/{n}") {
		t.Fatalf("got reason %q, want the loop and the route", reason)
	}
	body := g.scrape(t)
	for i := range 3 {
		age := value(t, body, fmt.Sprintf(`echogate_loop_tick_age_seconds{loop="%d"}`, i))
		if (age > blockedTime.Seconds()) != (i == blocked) {
			t.Errorf("loop %d: its last tick was %v s ago, and loop %d is blocked", i, age, blocked)
		}
	}
	var l list
	_, text := g.ask(t, "GET", "/connections", "Accept", "application/json")
	if err := json.Unmarshal([]byte(text), &l); err != nil || !slices.Equal(l.Missing, []int{blocked}) {
		t.Errorf("got %s, %v, want loop %d as missing", text, err, blocked)
	}
	if _, text := g.ask(t, "GET", "/connections"); !strings.Contains(text, fmt.Sprintf("loop %d did not answer", blocked)) {
		t.Errorf("got %q, want loop %d as missing", text, blocked)
	}
	release()
	until(t, "200 of /healthz", func() bool {
		w, _ := g.ask(t, "GET", "/healthz")
		return w.StatusCode == 200
	})
}
