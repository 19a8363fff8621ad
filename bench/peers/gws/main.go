// Gws is an echo server on lxzan/gws.
package main

import (
	"flag"
	"log"

	"github.com/lxzan/gws"

	"echogate/bench/peers/internal/peer"
)

// handler gets its events from the connection's own goroutine. A message's
// buffer goes back to the library's pool when it is closed.
type handler struct{ gws.BuiltinEventHandler }

func (handler) OnPing(c *gws.Conn, p []byte) {
	_ = c.WritePong(p)
}

func (handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes())
}

// The server is the library's own, as in the README's quick start: it accepts
// and reads the request without net/http's server. Every default is left as it
// is: 16 MiB for a message, no compression. ParallelEnabled, which the README
// has under best practice, stays off: it handles the messages of one connection
// in several goroutines, and echoes would come back out of order.
//
// With --compression it has permessage-deflate as its README begins with: at the
// default level, 1, for messages of 512 bytes and more, no context taken over.
func main() {
	compression := flag.Bool("compression", false, "agree on permessage-deflate, without context takeover")
	ln := peer.Listen()
	option := &gws.ServerOption{PermessageDeflate: gws.PermessageDeflate{Enabled: *compression}}
	log.Fatal(gws.NewServer(handler{}, option).RunListener(ln))
}
