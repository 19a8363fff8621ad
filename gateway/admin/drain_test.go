package admin

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/poller/websocket"
)

// A drain sends clients away with 1001, and the gateway goes on.
func TestDrain(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	conn := g.dial(t, "/echo")
	echoed(t, conn, "before")
	w, body := g.ask(t, "POST", "/drain?percent=100&over=0s")
	if w.StatusCode != 202 || !strings.Contains(body, "100 % of 1 connections") {
		t.Fatalf("got status %d %q, want 202", w.StatusCode, body)
	}
	var closed wsutil.ClosedError
	if _, err := wsutil.ReadServerText(conn); !errors.As(err, &closed) || closed.Code != ws.StatusGoingAway {
		t.Fatalf("got %v, want a close with 1001", err)
	}
	echoed(t, g.dial(t, "/echo"), "after")
	if w, _ := g.ask(t, "GET", "/readyz"); w.StatusCode != 200 {
		t.Errorf("got status %d of /readyz, want 200: it is a rehearsal", w.StatusCode)
	}
}

// One drain at a time.
func TestDrainsDoNotPileUp(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	for _, want := range []int{202, 409} {
		if w, body := g.ask(t, "POST", "/drain?percent=50&over=1h"); w.StatusCode != want {
			t.Errorf("got status %d %q, want %d", w.StatusCode, body, want)
		}
	}
	other := start(t, map[string]websocket.Route{"/echo": {Message: echo}})
	other.Leave()
	if w, body := other.ask(t, "POST", "/drain?percent=50"); w.StatusCode != 409 {
		t.Errorf("while all drain: got status %d %q, want 409", w.StatusCode, body)
	}
}

func TestDrainQuery(t *testing.T) {
	for query, want := range map[string]string{
		"percent=10&over=30s":   "",
		"percent=0.5":           "",
		"percent=100&over=0s":   "",
		"":                      "percent",
		"percent=0":             "percent",
		"percent=100.1":         "percent",
		"percent=NaN":           "percent",
		"percent=-1":            "percent",
		"percent=ten":           "percent",
		"percent=10&over=soon":  "over",
		"percent=10&over=-1s":   "over",
		"percent=10&over=25h":   "over",
		"percent=10&over=":      "over",
		"percent=10&ovr=30s":    `"ovr"`,
		"percent=10&percent2=1": `"percent2"`,
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = drainQuery(q)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want an error of %q", query, err, want)
		}
	}
	if share, over, _ := drainQuery(url.Values{"percent": {"25"}}); share != 0.25 || over != defaultOver || over > time.Minute {
		t.Errorf("got %v over %v by default, want 0.25 over %v", share, over, defaultOver)
	}
}
