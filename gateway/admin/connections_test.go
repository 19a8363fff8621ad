package admin

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"echogate/poller"
	"echogate/poller/websocket"
)

func TestConnections(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}, "/user/{name}": {Message: echo}},
		func(p *poller.Config, _ *Config) { p.Loops = 2 })
	first := g.dial(t, "/echo")
	echoed(t, first, "one")
	echoed(t, first, "two")
	echoed(t, g.dial(t, "/user/you"), "one")
	w, text := g.ask(t, "GET", "/connections", "Accept", "application/json")
	var l list
	if err := json.Unmarshal([]byte(text), &l); err != nil || w.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, text)
	}
	if l.Open != 2 || len(l.Connections) != 2 || l.Missing == nil || len(l.Missing) != 0 {
		t.Fatalf("got %s, want two connections", text)
	}
	found := false
	for _, c := range l.Connections {
		if c.Remote != first.LocalAddr().String() {
			continue
		}
		found = true
		if c.Route != "/echo" || c.State != "open" || c.Messages != 2 || c.Paused || c.Backlog != 0 || c.ID == "" || c.Age < c.Idle {
			t.Errorf("got %+v, want /echo, open, 2 messages", c)
		}
	}
	if !found {
		t.Errorf("%s is not in %s", first.LocalAddr(), text)
	}
	w, text = g.ask(t, "GET", "/connections?limit=1")
	if rows := strings.Count(text, "open"); rows != 1 || !strings.Contains(text, "1 of 2 connections") || !strings.HasPrefix(w.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("got %q, want one row of two", text)
	}
	if !strings.Contains(w.Header.Get("Vary"), "Accept") {
		t.Error("a cache is not told that the form depends on Accept")
	}
}

func TestConnectionsLimit(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	for _, limit := range []string{"0", "-1", "many", strconv.Itoa(maxListed + 1)} {
		if w, body := g.ask(t, "GET", "/connections?limit="+limit); w.StatusCode != 400 || !strings.Contains(body, "accepted are") {
			t.Errorf("limit %s: got status %d %q, want 400", limit, w.StatusCode, body)
		}
	}
}
