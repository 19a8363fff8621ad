// Coder is an echo server on coder/websocket.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/coder/websocket"

	"echogate/bench/peers/internal/peer"
)

func main() {
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		// Compression is off unless asked for.
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return // Accept has answered
		}
		c.SetReadLimit(peer.MaxMessage) // the default is 32 KiB
		// In a goroutine of its own, so that what the request held can be
		// collected.
		go echo(c)
	})
	log.Fatal(http.Serve(peer.Listen(), nil))
}

// echo uses Read and Write, which send a message as one frame; copying from
// Reader to Writer would cut it into frames of the write buffer's size. The
// context is not the request's, which the README advises against after an
// upgrade, and cannot be cancelled, so that no call has to watch it. Pings are
// answered while it reads.
func echo(c *websocket.Conn) {
	defer c.CloseNow()
	ctx := context.Background()
	for {
		kind, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, kind, p); err != nil {
			return
		}
	}
}
