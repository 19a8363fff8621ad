package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/poller"
	"echogate/poller/websocket"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// echo is the route of most tests.
func echo(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

// gateway is a server with an admin port, which end with the test.
type gateway struct {
	*Server
	host  string // of the sockets
	admin string // of the admin port
}

// start serves routes, and the admin port as configure has it.
func start(t testing.TB, routes map[string]websocket.Route, configure ...func(*poller.Config, *Config)) *gateway {
	t.Helper()
	table, err := websocket.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	p := poller.Default(table)
	p.Listen, p.Log, p.Drain, p.DrainTimeout = []string{"127.0.0.1:0"}, slog.New(slog.DiscardHandler), 0, time.Second
	c := Config{Version: "v1.2.3", Log: p.Log}
	for _, f := range configure {
		f(&p, &c)
	}
	if c.Gateway, err = poller.New(p); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{Server: New(c), host: c.Gateway.Addrs()[0].String(), admin: ln.Addr().String()}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Gateway.Run(ctx) }()
	g.Serve(ln)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
		g.Close()
	})
	return g
}

// dial connects a client to a path.
func (g *gateway) dial(t testing.TB, path string) net.Conn {
	t.Helper()
	d := ws.Dialer{Timeout: patience}
	conn, _, _, err := d.Dial(context.Background(), "ws://"+g.host+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// echoed sends a message and waits for its echo.
func echoed(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if err := wsutil.WriteClientText(conn, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if got, err := wsutil.ReadServerText(conn); err != nil || string(got) != text {
		t.Fatalf("got %q, %v, want %q", got, err, text)
	}
}

// ask sends a request, with pairs of header names and values, and returns the
// answer with its body.
func (g *gateway) ask(t testing.TB, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+g.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
	w, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w, string(body)
}

// until waits for a condition.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
