// Nethttps is an echo server of TLS as most are written in Go: net/http accepts
// and makes the handshake, and each connection has a goroutine, in which gobwas/ws
// upgrades and reads. It is what the gateway's TLS is measured against.
package main

import (
	"bufio"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/bench/peers/internal/peer"
)

// writers are shared: a connection holds one only while it writes. Without a
// buffer each frame would cost two records, one for its header.
var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// What TLS is made of is Go's default, session tickets included. HTTP/2 is not
// offered: a connection of it cannot be taken over.
func main() {
	cert := flag.String("tls-cert", "", "`file` of the certificate in PEM")
	key := flag.String("tls-key", "", "`file` of its key in PEM")
	ln := peer.Listen()
	wsutil.SetMaxMessageSize(peer.MaxMessage)
	s := &http.Server{Handler: http.HandlerFunc(serve), Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	log.Fatal(s.ServeTLS(ln, *cert, *key))
}

func serve(w http.ResponseWriter, r *http.Request) {
	c, rest, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	defer c.Close()
	in := struct {
		io.Reader
		io.Writer
	}{rest.Reader, c}
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
