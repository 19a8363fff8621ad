// Package peer is what the servers of the field have in common: the command
// line, the first line of output and the limit on messages. Nothing of it is on
// the way of a message.
package peer

import (
	"flag"
	"fmt"
	"log"
	"net"
)

// MaxMessage is the longest message that every peer which has a limit is set to
// take: enough for the largest message of any comparison.
const MaxMessage = 16 << 20

// Addr parses the command line and returns the address that --listen names.
func Addr() string {
	addr := flag.String("listen", "127.0.0.1:9998", "`address` to listen on; port 0 takes a free one")
	flag.Parse()
	return *addr
}

// Announce prints the address that is listened on, the first line of output: who
// started the peer waits for it and learns the port from it.
func Announce(addr net.Addr) {
	fmt.Println("listening", addr)
}

// Listen opens the listener that the command line asks for and announces it.
func Listen() net.Listener {
	ln, err := net.Listen("tcp", Addr())
	if err != nil {
		log.Fatal(err)
	}
	Announce(ln.Addr())
	return ln
}
