// Gorilla is an echo server on gorilla/websocket.
package main

import (
	"log"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"echogate/bench/peers/internal/peer"
)

// The settings follow the section Buffers of the package documentation: with a
// size of 0 the read buffer is the one that net/http had for the request, 4 KiB,
// and with a pool a connection holds a write buffer only while it writes, which
// is meant for many connections that each write little. Compression is off
// unless asked for.
var upgrader = websocket.Upgrader{
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

func main() {
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		// As in the library's chat example: in a goroutine of its own, so that
		// what the request held can be collected.
		go echo(c)
	})
	log.Fatal(http.Serve(peer.Listen(), nil))
}

// echo reads whole messages, as the library's echo example does: copying from
// NextReader to NextWriter would cut a message into frames of the write
// buffer's size. Pings are answered while it reads.
func echo(c *websocket.Conn) {
	defer c.Close()
	c.SetReadLimit(peer.MaxMessage)
	for {
		kind, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, p); err != nil {
			return
		}
	}
}
