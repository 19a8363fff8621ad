package poller

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

func TestTLSEcho(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	for _, v := range versions {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			config := a.client()
			config.MinVersion, config.MaxVersion = v, v
			c := s.in(t).dialTLS(config, "/")
			c.echo("hello")
			c.echo(strings.Repeat("x", 300_000))
			c.echo("")
			c.write(masked(ws.OpClose, closeBody(1000, ""), true))
			c.want(ws.OpClose, "\x03\xe8")
			c.wantEOF()
		})
	}
	s.wantClosed(websocket.CausePeer, 2)
}
