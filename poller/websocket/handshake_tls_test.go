//go:build linux

package websocket_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	"echogate/poller/websocket"
)

// TestHandshakesOverTLS sends every request of the tables to a real server over
// TLS, whole and, when it is short, with a record for every byte.
func TestHandshakesOverTLS(t *testing.T) {
	s := serveTLS(t, websocket.HandshakeRoutes(t))
	config := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	websocket.Handshakes(func(id, in string, status int, has string) {
		t.Run(id, func(t *testing.T) {
			s.ask(t, config, in, status, has, whole)
			if len(in) < 1000 {
				s.ask(t, config, in, status, has, byteByByte)
			}
		})
	})
}

// ask sends a request, and what may stand behind it, and reads until the answer
// that is wanted.
func (s *goldenServer) ask(t *testing.T, config *tls.Config, in string, status int, has string, how manner) {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addrs()[0].String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.NetConn().Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	written := make(chan struct{})
	defer func() { <-written }()
	go func() { // who is refused may be so before all was sent
		defer close(written)
		write(conn, []byte(in), how)
	}()
	line := fmt.Sprintf("HTTP/1.1 %d ", status)
	var got []byte
	for b := make([]byte, 16<<10); !bytes.Contains(got, []byte(line)) || !bytes.Contains(got, []byte(has)); {
		n, err := conn.Read(b)
		if got = append(got, b[:n]...); err != nil && n == 0 {
			t.Fatalf("got %v and %.200q, want status %d, and %q in it", err, got, status, has)
		}
	}
}
