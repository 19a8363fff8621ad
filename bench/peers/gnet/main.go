// Gnet is an echo server on gobwas/ws and gnet's engine, in the manner of the
// WebSocket server in gnet-io/gnet-examples: what arrives is collected until it
// is a request, then until it is a frame, and gobwas/ws decodes it.
package main

import (
	"log"
	"net"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
	"golang.org/x/sys/unix"

	"echogate/bench/peers/internal/peer"
)

// quiet leaves out the engine's news, which would come before the first line,
// and what it says of connections that break.
type quiet struct{ logging.Logger }

func (quiet) Infof(string, ...any) {}
func (quiet) Warnf(string, ...any) {}

type server struct {
	gnet.BuiltinEventEngine
}

// OnBoot announces the port, which only the engine's listener knows.
func (*server) OnBoot(e gnet.Engine) gnet.Action {
	fd, err := e.Dup()
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(fd)
	name, err := unix.Getsockname(fd)
	if err != nil {
		log.Fatal(err)
	}
	in4, ok := name.(*unix.SockaddrInet4)
	if !ok {
		log.Fatalf("listening on %T, want IPv4", name)
	}
	peer.Announce(&net.TCPAddr{IP: in4.Addr[:], Port: in4.Port})
	return gnet.None
}

func (*server) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(new(codec))
	return nil, gnet.None
}

func (*server) OnTraffic(c gnet.Conn) gnet.Action {
	if err := c.Context().(*codec).serve(c); err != nil {
		return gnet.Close
	}
	return gnet.None
}

// The engine runs a loop for each core, as in the example. Its other option,
// SO_REUSEPORT, is left out: each loop would get a port of its own when port 0
// is asked for, and one listener that deals in turn keeps the loops even.
func main() {
	log.Fatal(gnet.Run(new(server), "tcp://"+peer.Addr(),
		gnet.WithMulticore(true), gnet.WithLogger(quiet{logging.GetDefaultLogger()})))
}
