// Gobwas is an echo server on gobwas/ws with a goroutine for each connection.
package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/bench/peers/internal/peer"
)

// writers are shared: a connection holds one only while it writes. The library
// leaves buffering to its user, and without a buffer each frame would cost two
// writes, one for its header.
var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// The upgrade is the zero-copy one, which the README recommends for high loads,
// on connections that net/http never sees; it takes any path.
func main() {
	wsutil.SetMaxMessageSize(peer.MaxMessage)
	ln := peer.Listen()
	for {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(c)
	}
}

func serve(c net.Conn) {
	defer c.Close()
	if _, err := ws.Upgrade(c); err != nil {
		return
	}
	// Without a buffer a header would cost two reads of its own.
	in := struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(c), c}
	for {
		p, op, err := wsutil.ReadClientData(in) // answers pings
		if err != nil {
			return
		}
		if err := send(c, op, p); err != nil {
			return
		}
	}
}

func send(c net.Conn, op ws.OpCode, p []byte) error {
	w := writers.Get().(*bufio.Writer)
	defer writers.Put(w)
	w.Reset(c)
	if err := wsutil.WriteServerMessage(w, op, p); err != nil {
		return err
	}
	return w.Flush()
}
