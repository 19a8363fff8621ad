package checks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience is how long anything may take on a busy machine before a test gives
// it up.
const patience = 30 * time.Second

// A dialer opens a connection: the machine's own, or one inside a container.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// direct dials from this process.
func direct(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// A client is one WebSocket connection. Its methods return errors, so that many
// of them may be driven from goroutines.
type client struct {
	net.Conn
	r *bufio.Reader
}

// connect upgrades a new connection to ws://addr/echo.
func connect(dial dialer, addr string) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, r, _, err := ws.Dialer{NetDial: dial}.Dial(ctx, "ws://"+addr+"/echo")
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = bufio.NewReaderSize(c, 512)
	}
	return &client{c, r}, nil
}

// mustConnect is connect for a test that needs the connection, which it closes.
func mustConnect(t *testing.T, dial dialer, addr string) *client {
	t.Helper()
	c, err := connect(dial, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// connectAll opens n connections, which the test closes.
func connectAll(t *testing.T, dial dialer, addr string, n int) []*client {
	t.Helper()
	all := make([]*client, n)
	for i := range all {
		all[i] = mustConnect(t, dial, addr)
	}
	return all
}

// echo sends a message and compares what comes back.
func (c *client) echo(text string) error {
	if err := c.send(ws.OpText, []byte(text)); err != nil {
		return err
	}
	h, got, err := c.next()
	if err != nil {
		return err
	}
	if h.OpCode != ws.OpText || string(got) != text {
		return fmt.Errorf("got opcode %d and %q, want the echo of %q", h.OpCode, got, text)
	}
	return nil
}

func (c *client) send(op ws.OpCode, payload []byte) error {
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	// In one piece: pongs and messages may come from two goroutines.
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewFrame(op, true, payload)))
	if err != nil {
		return err
	}
	_, err = c.Write(frame)
	return err
}

// next returns the next frame that is no ping, and answers those.
func (c *client) next() (ws.Header, []byte, error) {
	for {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		h, err := ws.ReadHeader(c.r)
		if err != nil {
			return h, nil, err
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return h, nil, err
		}
		if h.OpCode != ws.OpPing {
			return h, payload, nil
		}
		if err := c.send(ws.OpPong, payload); err != nil {
			return h, nil, err
		}
	}
}

// closeCode waits for the close frame, answers it, and returns its code.
func (c *client) closeCode() (ws.StatusCode, error) {
	h, payload, err := c.next()
	if err != nil {
		return 0, err
	}
	if h.OpCode != ws.OpClose {
		return 0, fmt.Errorf("got opcode %d, want a close frame", h.OpCode)
	}
	code, _ := ws.ParseCloseFrameData(payload)
	return code, c.send(ws.OpClose, payload)
}

// each runs f for every client at once and reports the first errors.
func each(t *testing.T, all []*client, f func(*client) error) {
	t.Helper()
	results := make(chan error, len(all))
	for _, c := range all {
		go func() { results <- f(c) }()
	}
	failed := 0
	for range all {
		if err := <-results; err != nil {
			if failed++; failed <= 3 {
				t.Error(err)
			}
		}
	}
	if failed > 0 {
		t.Fatalf("%d of %d connections failed", failed, len(all))
	}
}

// eventually waits until what is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for tick := time.NewTicker(10 * time.Millisecond); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// get asks a gateway's admin port.
func get(t *testing.T, dial dialer, addr, path string) (status int, body string) {
	t.Helper()
	hc := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	resp, err := hc.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
