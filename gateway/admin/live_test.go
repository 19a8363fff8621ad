package admin

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/poller"
	"echogate/poller/websocket"
)

// What clients do is seen by the page and in the metrics.
func TestTrafficIsSeen(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}}, func(p *poller.Config, _ *Config) { p.Loops = 2 })
	stays, goes, breaks := g.dial(t, "/echo"), g.dial(t, "/echo"), g.dial(t, "/echo")
	echoed(t, stays, "four")
	echoed(t, stays, "sixsix")
	if err := wsutil.WriteClientMessage(goes, ws.OpClose, ws.NewCloseFrameBody(4711, "bye")); err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteFrame(breaks, ws.NewFrame(ws.OpText, true, []byte("not masked"))); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/nowhere": "404", "/echo": "426"} {
		w, _ := (&gateway{admin: g.host}).ask(t, "GET", path)
		if !strings.HasPrefix(w.Status, want) {
			t.Fatalf("%s: got status %s, want %s", path, w.Status, want)
		}
	}
	until(t, "the ends of two connections", func() bool { return g.gateway.Stats().Connections == 1 })
	body := g.scrape(t)
	for series, want := range map[string]float64{
		`echogate_connections{route="/echo",state="open"}`:                            1,
		`echogate_connections_accepted_total`:                                         5,
		`echogate_upgrades_total{status="101"}`:                                       3,
		`echogate_upgrades_total{status="404"}`:                                       1,
		`echogate_handshakes_rejected_total{reason="path"}`:                           1,
		`echogate_messages_total{direction="in",opcode="text"}`:                       2,
		`echogate_messages_total{direction="out",opcode="text"}`:                      2,
		`echogate_messages_total{direction="out",opcode="binary"}`:                    0,
		`echogate_message_bytes_total{direction="out",opcode="text"}`:                 10,
		`echogate_control_frames_total{direction="in",opcode="close"}`:                1,
		`echogate_close_codes_total{code="4xxx",direction="in"}`:                      1,
		`echogate_close_codes_total{code="4xxx",direction="out"}`:                     1,
		`echogate_close_codes_total{code="1002",direction="out"}`:                     1,
		`echogate_protocol_errors_total{kind="unmasked"}`:                             1,
		`echogate_connections_closed_total{reason="protocol"}`:                        1,
		`echogate_build_info{goversion="` + runtime.Version() + `",version="v1.2.3"}`: 1,
		`echogate_ready`:    1,
		`echogate_draining`: 0,
	} {
		if got := value(t, body, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	var l live
	_, text := g.ask(t, "GET", "/live")
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	if l.Messages != (flow{2, 2}) || l.Bytes != (flow{10, 10}) || l.Open != 1 || len(l.Loops) != 2 || l.Refused["path"] != 1 || l.Closed["protocol"] != 1 {
		t.Errorf("got %s", text)
	}
	if len(l.Routes) != 1 || l.Routes[0] != (route{"/echo", 1, 0, 0}) || !l.Healthy || !l.Ready || l.Resident < l.Before/2 || l.Before == 0 {
		t.Errorf("got %s", text)
	}
}
