package poller

import (
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// unruly are routes that use all there is of a Conn.
func unruly() map[string]websocket.Route {
	job := func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		p = append([]byte(nil), p...)
		return c.Go(func() func(*websocket.Conn) error {
			return func(c *websocket.Conn) error { return c.Send(op, p) }
		})
	}
	pause := func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		c.Pause()
		c.After(5*time.Millisecond, func(c *websocket.Conn) error { c.Resume(); return nil })
		return c.Send(op, p)
	}
	push := func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		h, p := c.Handle(), append([]byte(nil), p...)
		c.After(time.Millisecond, func(c *websocket.Conn) error { _ = c.Send(op, p); return nil })
		_ = h.Send(op, p)
		return h.Do(func(c *websocket.Conn) error { return c.Flush() })
	}
	fail := func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		switch len(p) % 4 {
		case 0:
			boom()
		case 1:
			return io.ErrUnexpectedEOF
		case 2:
			c.End(websocket.FIN)
		}
		return c.Close(4000, "enough")
	}
	return map[string]websocket.Route{
		"/0": echoing, "/1": narrow, "/2": {Message: job}, "/3": {Message: pause}, "/4": {Message: push}, "/5": {Message: fail},
	}
}

// Clients do all that clients do, good and bad, at the same time and cut off
// anywhere. The books are balanced afterwards, and nothing is left: the end of
// the test looks.
func TestUnrulyClients(t *testing.T) {
	t.Parallel()
	s := start(t, unruly(), func(c *Config) {
		c.HandshakeTimeout, c.MaxBuffered = 500*time.Millisecond, 8<<20
		c.Limits.PingInterval, c.Limits.IdleTimeout = 50*time.Millisecond, 500*time.Millisecond
		c.Limits.CloseTimeout, c.Limits.StallTimeout = 200*time.Millisecond, time.Second
		c.Limits.MessageTimeout, c.Limits.MaxLifetime = 300*time.Millisecond, 3*time.Second
	})
	n := 400
	if raceBuild {
		n = 150 // each costs ten times as much there
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	atOnce(t, n, func(i int) error {
		return misbehave(s.Addrs()[0].String(), rand.New(rand.NewPCG(seed, uint64(i))))
	})
	last := s.dial("/0")
	last.text("still there")
	op, p, err := last.read()
	for op == ws.OpPing && err == nil { // this machine is slow
		op, p, err = last.read()
	}
	if string(p) != "still there" || err != nil {
		t.Errorf("got opcode %d, %q, %v, want an echo", op, p, err)
	}
	s.until("all gone", func(got Stats) bool { return got.Accepted == uint64(n+1) && got.Connections <= 1 })
}

// misbehave is the life of one client.
func misbehave(addr string, r *rand.Rand) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Duration(50+r.IntN(400)) * time.Millisecond))
	b := []byte(request("/" + string(rune('0'+r.IntN(6)))))
	for range r.IntN(30) {
		b = append(b, anyFrame(r)...)
	}
	b = b[:len(b)-r.IntN(2)*r.IntN(len(b))] // whole, or cut off anywhere
	if r.IntN(2) == 0 {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
	for len(b) > 0 {
		n := 1 + r.IntN(len(b))
		if _, err := conn.Write(b[:n]); err != nil {
			break
		}
		b = b[n:]
	}
	switch tcp := conn.(*net.TCPConn); r.IntN(4) {
	case 0:
		_ = tcp.SetLinger(0)
	case 1:
		_ = tcp.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	case 2:
		_, _ = io.Copy(io.Discard, conn)
	}
	return nil
}

// anyFrame is mostly a good frame.
func anyFrame(r *rand.Rand) []byte {
	p := make([]byte, r.IntN(2)*r.IntN(2)*r.IntN(200_000)+r.IntN(200))
	switch r.IntN(40) {
	case 0:
		return masked(ws.OpClose, closeBody(1000, ""), true)
	case 1:
		return masked(ws.OpText, p, false)
	case 2:
		return masked(ws.OpContinuation, p, true)
	case 3:
		return p
	case 4, 5, 6:
		return masked(ws.OpPing, p[:min(len(p), 125)], true)
	}
	return masked(ws.OpBinary, p, true)
}
