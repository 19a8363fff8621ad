package poller

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// TestFlushKeepsOrder: what a Flush has left unsent leaves before what is sent
// after it, although the socket has room again by then.
func TestFlushKeepsOrder(t *testing.T) {
	big := bytes.Repeat([]byte("big"), 1<<20)
	var c stillConn
	var got []byte
	l := still(t, func(config *Config) {
		config.Routes = compiled(t, map[string]websocket.Route{"/echo": {Message: func(conn *websocket.Conn, op ws.OpCode, p []byte) error {
			_ = conn.Send(ws.OpBinary, big)
			_ = conn.Flush()
			got = append(got, c.receives()...) // the peer has made room
			return conn.Send(op, p)
		}}})
	})
	c = open(t, l)
	c.sends(masked(ws.OpText, []byte("after"), true))
	for s := c.slot; s.busy != 0 && l.busys[s.busy].out != nil; {
		got = append(got, c.receives()...)
		if err := l.event(c.fd, unix.EPOLLOUT); err != nil {
			t.Fatal(err)
		}
	}
	got = append(got, c.receives()...)
	want := slices.Concat(ws.MustCompileFrame(ws.NewBinaryFrame(big)), ws.MustCompileFrame(ws.NewTextFrame([]byte("after"))))
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d, in order: what came first ends in %q", len(got), len(want), got[max(len(got)-9, 0):])
	}
}
