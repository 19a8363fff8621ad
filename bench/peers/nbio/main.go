// Nbio is an echo server on lesismal/nbio in its non-blocking mode: connections
// belong to epoll loops, messages are handled by a pool of goroutines.
package main

import (
	"log"
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"

	"echogate/bench/peers/internal/peer"
)

// newUpgrader takes what the author's own comparison of frameworks
// (lesismal/go-websocket-benchmark, nbio_nonblocking) uses: a plain echo, and no
// deadline for silent connections. Compression is off unless asked for.
func newUpgrader() *websocket.Upgrader {
	u := websocket.NewUpgrader()
	u.KeepaliveTime = 0
	u.MessageLengthLimit = peer.MaxMessage // the default is 4 MiB
	u.CheckOrigin = func(*http.Request) bool { return true }
	u.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, p []byte) {
		_ = c.WriteMessage(kind, p)
	})
	return u
}

func main() {
	logging.SetLevel(logging.LevelError)
	u := newUpgrader()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		// An error has been answered.
		_, _ = u.Upgrade(w, r, nil)
	})
	ln := peer.Listen()
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp",
		Addrs:   []string{ln.Addr().String()},
		Listen:  func(string, string) (net.Listener, error) { return ln, nil },
		Handler: mux,
		IOMod:   nbhttp.IOModNonBlocking,
		// The payload goes back to the pool when OnMessage returns, as in the
		// author's comparison.
		ReleaseWebsocketPayload: true,
		// Above the default of 32 KiB a message would be sent as several frames.
		MaxWebsocketFramePayloadSize: peer.MaxMessage,
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	select {}
}
