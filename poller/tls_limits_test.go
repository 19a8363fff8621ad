package poller

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file is the limits of limits.md over TLS, where the way of what is read
// and sent is another one.

// wantClosing reads a close frame.
func (c *secured) wantClosing(code ws.StatusCode) {
	c.t.Helper()
	op, p, err := readFrame(c.r)
	if err != nil || op != ws.OpClose || len(p) < 2 || ws.StatusCode(p[0])<<8|ws.StatusCode(p[1]) != code {
		c.t.Fatalf("got opcode %d %q, %v, want close code %d", op, p, err, code)
	}
}

// wantCut waits for a reset, which leaves no time for the end of TLS.
func (c *secured) wantCut() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.r); !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("got %v, want a reset", err)
	}
}

// limits.md B8, D1 to D3, conformance L5 and L7: every deadline of an open
// connection.
func TestTLSDeadlines(t *testing.T) {
	t.Parallel()
	const short = 200 * time.Millisecond
	a := newAuthority(t)
	limits := func(l websocket.Limits) websocket.Route {
		return websocket.Route{Message: echoing.Message, Limits: l}
	}
	s := startTLS(t, a, map[string]websocket.Route{
		"/idle":     limits(websocket.Limits{IdleTimeout: short, PingInterval: -1}),
		"/lifetime": limits(websocket.Limits{MaxLifetime: short}),
		"/message":  limits(websocket.Limits{MessageTimeout: short}),
		"/close":    {Message: closing.Message, Limits: websocket.Limits{CloseTimeout: short}},
	}, nil)
	c := s.dialTLS(a.client(), "/idle")
	c.wantClosing(1008)
	c.finish(1008)
	s.wantClosed(websocket.CauseIdle, 1)

	c = s.dialTLS(a.client(), "/lifetime")
	c.wantClosing(1001)
	c.finish(1001)
	s.wantClosed(websocket.CauseLifetime, 1)

	for i, part := range [][]byte{
		masked(ws.OpText, []byte("begun"), true)[:8],
		masked(ws.OpText, []byte("fragment"), false),
		append(raw(0x81, 1<<20), "begun"...),
	} {
		c = s.dialTLS(a.client(), "/message")
		c.write(part)
		c.wantClosing(1008)
		c.wantEOF()
		c.tcp.Close()
		s.wantClosed(websocket.CauseMessageTimeout, uint64(i+1))
	}

	c = s.dialTLS(a.client(), "/close")
	c.write(masked(ws.OpText, nil, true))
	c.wantClosing(4000)
	c.wantCut()
	s.wantClosed(websocket.CauseCloseTimeout, 1)
}

// A record that has begun is input like any other: it does not extend the time of
// a connection that is silent otherwise, and what is held of it is counted.
func TestTLSTornRecordIsIdle(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Limits.IdleTimeout, c.Limits.PingInterval = time.Second, -1
	})
	c := s.dialTLS(a.client(), "/")
	if _, err := c.tcp.Write([]byte("\x17\x03\x03\x40\x00" + strings.Repeat("x", 1000))); err != nil {
		t.Fatal(err)
	}
	s.until("the piece is held", func(got Stats) bool { return got.Buffered >= 1000 })
	c.wantClosing(1008)
	c.tcp.Close()
	s.wantClosed(websocket.CauseIdle, 1)
}

// limits.md C2, conformance L6: who stops reading is cut after the stall time.
func TestTLSStall(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": narrow}, func(c *Config) { c.Limits.StallTimeout = time.Second })
	config := a.client()
	tcp := connectTo(t, s.Addrs()[0].String(), 4<<10)
	_ = tcp.SetWriteBuffer(64 << 10)
	c := tcp.secure(config)
	c.write([]byte(request("/")))
	go func() { // until it is cut
		flood := masked(ws.OpBinary, make([]byte, 16<<10), true)
		for {
			if _, err := c.Write(flood); err != nil {
				return
			}
		}
	}()
	s.wantClosed(websocket.CauseSlowReader, 1)
}

// limits.md D4: the close frame and the end of TLS arrive although the peer goes
// on sending, and that is listened to for a bounded number of bytes.
func TestTLSFloodAfterFailure(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	c := s.dialTLS(a.client(), "/")
	flooded := make(chan error, 1)
	go func() {
		b := append([]byte("\x81\x01x"), make([]byte, 1<<16)...) // unmasked
		var err error
		for err == nil {
			_, err = c.Write(b)
		}
		flooded <- err
	}()
	c.wantClosing(1002)
	if b, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("got byte %#x, %v, want the end of TLS", b, err)
	}
	if err := receive(t, flooded); err == nil {
		t.Error("the flood did not end")
	}
	s.wantClosed(websocket.CauseProtocol, 1)
}

// limits.md H1: a flood of handshakes that fail is not one of log lines.
func TestTLSLogIsBounded(t *testing.T) {
	t.Parallel()
	log := new(logBuffer)
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const n = 10 * linesPerSecond
	begun := time.Now()
	for range n {
		c := s.connect()
		c.write([]byte("\x16\x03\x01\x00\x04\x01\x00\x00\x00"))
		if b, err := c.r.ReadByte(); err != nil || b != 0x15 {
			t.Fatalf("got byte %#x, %v, want an alert", b, err)
		}
		c.Close()
	}
	seconds := int(time.Since(begun)/time.Second) + 2
	s.until("all are counted", func(got Stats) bool { return got.Rejected[websocket.RejectTLS] == n })
	if got := log.lines("TLS failed"); got == 0 || got > seconds*linesPerSecond {
		t.Errorf("%d lines in %d seconds", got, seconds)
	}
}

// What a TLS client may say before its handshake is over: nothing that is not of
// it.
func TestTLSDataBeforeTheEnd(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	c := s.connect()
	c.write(append(clientHello(t, a.client()), "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32)...))
	if _, err := io.Copy(io.Discard, c.r); err != nil {
		t.Error(err)
	}
	c.Close()
	s.wantClosed(websocket.CauseTLS, 1)
}

// The functions of a tls.Config see their own client, and choose for it alone.
func TestTLSConfigForClient(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		strict := a.server()
		strict.ClientCAs, strict.ClientAuth = a.pool, tls.RequireAndVerifyClientCert
		base := c.TLS
		c.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			if h.ServerName == "test.example" {
				return base, nil
			}
			return strict, nil
		}}
	})
	s.dialTLS(a.client(), "/").echo("served")
	config := a.client()
	config.ServerName = "127.0.0.1"
	conn := tls.Client(s.connect().TCPConn, config)
	if _, err := io.WriteString(conn, request("/")); err == nil {
		_, err = conn.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("got %v, want a certificate to be asked for", err)
		}
	}
}
