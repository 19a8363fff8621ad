package poller_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/poller"
	"echogate/poller/websocket"
)

// An echo server, and a client that talks to it.
func Example() {
	routes, err := websocket.Compile(map[string]websocket.Route{
		"/echo": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			return c.Send(op, p) // from where it lies: no copy
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	config := poller.Default(routes)
	config.Listen = []string{"127.0.0.1:0"} // any free port
	server, err := poller.New(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()

	client, _, _, err := ws.Dial(ctx, "ws://"+server.Addrs()[0].String()+"/echo")
	if err != nil {
		log.Fatal(err)
	}
	if err := wsutil.WriteClientText(client, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	reply, err := wsutil.ReadServerText(client)
	fmt.Printf("%s, %v\n", reply, err)

	client.Close()
	stop()
	fmt.Println(<-done)
	// Output:
	// hello, <nil>
	// <nil>
}

// What is sent to everybody on a route is sent by each connection's own loop.
func ExampleServer_Each() {
	server, stop := serve("/news", websocket.Route{Message: ignore})
	defer stop()
	ann, bob := dial(server, "/news"), dial(server, "/news")
	defer ann.Close()
	defer bob.Close()

	server.Each("/news", func(c *websocket.Conn) error {
		return c.Send(ws.OpText, []byte("rain at noon"))
	})

	fmt.Println("ann:", receive(ann))
	fmt.Println("bob:", receive(bob))
	// Output:
	// ann: rain at noon
	// bob: rain at noon
}

// A Conn is dead when its handler returns. Its Handle may be kept, and used by
// any goroutine.
func Example_handle() {
	joined := make(chan websocket.Handle, 1)
	server, stop := serve("/feed", websocket.Route{
		Open: func(c *websocket.Conn) error {
			joined <- c.Handle()
			return nil
		},
	})
	defer stop()
	client := dial(server, "/feed")
	defer client.Close()

	handle := <-joined
	go func() {
		// It does not wait: the loop sends it, or says that it cannot.
		switch err := handle.Send(ws.OpText, []byte("tick")); {
		case errors.Is(err, websocket.ErrGone):
			log.Print("the client has left")
		case errors.Is(err, websocket.ErrBacklog):
			log.Print("the client reads too slowly")
		}
	}()

	fmt.Println(receive(client))
	// Output: tick
}

// When Run's context ends, every connection is told to go away, and Run returns
// when the last has gone.
func ExampleServer_Run() {
	server, stop := serve("/echo", websocket.Route{Message: ignore})
	client := dial(server, "/echo")
	defer client.Close()

	stopped := make(chan error)
	go func() { stopped <- stop() }()

	_, err := wsutil.ReadServerText(client) // answers the close frame
	var closed wsutil.ClosedError
	if errors.As(err, &closed) {
		fmt.Println("closed with", closed.Code)
	}
	fmt.Println("stopped:", <-stopped)
	fmt.Println("connections:", server.Stats().Connections)
	// Output:
	// closed with 1001
	// stopped: <nil>
	// connections: 0
}

// serve starts a server of one route on a free port. stop ends its context and
// returns what Run does.
func serve(pattern string, route websocket.Route) (server *poller.Server, stop func() error) {
	routes, err := websocket.Compile(map[string]websocket.Route{pattern: route})
	if err != nil {
		log.Fatal(err)
	}
	config := poller.Default(routes)
	config.Listen, config.Drain = []string{"127.0.0.1:0"}, 0 // all are sent away at once
	if server, err = poller.New(config); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()
	return server, func() error {
		cancel()
		return <-done
	}
}

func dial(server *poller.Server, path string) net.Conn {
	client, _, _, err := ws.Dial(context.Background(), "ws://"+server.Addrs()[0].String()+path)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func receive(client net.Conn) string {
	text, err := wsutil.ReadServerText(client)
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

func ignore(*websocket.Conn, ws.OpCode, []byte) error { return nil }
