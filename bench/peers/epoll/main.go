// Epoll is the floor in Go: what a WebSocket echo costs at the least when it is
// written on epoll, read and write.
//
// A true echo of the bytes is no answer to a WebSocket client: its frames are
// masked and the server's must not be (RFC 6455 §5.1), so one that verifies what
// comes back would refuse it. The floor does what makes the bytes right and
// nothing else: one read and one write for an event, the mask taken off where
// the payload lies, a server's header put in front of it. There are no messages
// (each frame is answered as it comes, however far it has come), no limits, no
// timeouts, no check of UTF-8 or of the protocol, and a request must arrive in
// one read. It is a measure, not a server.
package main

import (
	"log"
	"net"
	"runtime"

	"golang.org/x/sys/unix"

	"echogate/bench/peers/internal/peer"
)

func main() {
	listener, err := takeOver(peer.Listen())
	if err != nil {
		log.Fatal(err)
	}
	loops := make([]*loop, runtime.GOMAXPROCS(0))
	for i := range loops {
		if loops[i], err = newLoop(); err != nil {
			log.Fatal(err)
		}
	}
	if err := loops[0].accept(listener, loops); err != nil {
		log.Fatal(err)
	}
	for _, l := range loops[1:] {
		go l.run()
	}
	loops[0].run()
}

// takeOver returns the listener's socket without Go's poller around it.
// Connections inherit TCP_NODELAY from it, which Go sets too.
func takeOver(ln net.Listener) (fd int, err error) {
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		return -1, err
	}
	if controlErr := raw.Control(func(s uintptr) { fd, err = unix.Dup(int(s)) }); controlErr != nil {
		return -1, controlErr
	}
	if err != nil {
		return -1, err
	}
	return fd, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}
