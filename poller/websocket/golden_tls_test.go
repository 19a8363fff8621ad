//go:build linux

package websocket_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"

	"echogate/poller"
	"echogate/poller/websocket"
)

// TestGoldenOverTLS holds every golden conversation with a real server over TLS,
// where the client alone speaks: turn by turn, whole, and, when it is short, with
// a record for every byte.
func TestGoldenOverTLS(t *testing.T) {
	routes, err := websocket.Compile(map[string]websocket.Route{"/echo": {
		Message:     func(c *websocket.Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) },
		Compression: websocket.CompressionOn,
		Limits:      websocket.Limits{MaxMessage: 16 << 20},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := serveTLS(t, routes)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			config := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			websocket.Conversations(t, func(c websocket.Conversation) {
				size := len(c.Rest)
				for _, turn := range c.Turns {
					size += len(turn[0])
				}
				if size > 1<<20 && (websocket.RaceBuild || version == tls.VersionTLS12) {
					return // what is long is a matter of records, not of versions
				}
				t.Run(c.Name, func(t *testing.T) {
					s.hold(t, config, c, turnByTurn)
					s.hold(t, config, c, whole)
					if size < 300 {
						s.hold(t, config, c, byteByByte)
					}
				})
			})
		})
	}
	for cause, want := range s.ended {
		tick := time.NewTicker(time.Millisecond)
		for deadline := time.Now().Add(30 * time.Second); s.Stats().Closed[cause] < want && time.Now().Before(deadline); {
			<-tick.C
		}
		tick.Stop()
		if got := s.Stats().Closed[cause]; got != want {
			t.Errorf("%d connections were counted under %s, want %d", got, cause, want)
		}
	}
}

// manner is how a conversation is held.
type manner uint8

const (
	turnByTurn manner = iota
	whole
	byteByByte
)

// goldenServer is a server, and how the connections to it have ended.
type goldenServer struct {
	*poller.Server
	ended map[websocket.Cause]uint64
}

func serveTLS(t *testing.T, routes *websocket.Routes) *goldenServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, want, want, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := poller.Default(routes)
	config.Listen, config.Loops, config.Drain, config.Log = []string{"127.0.0.1:0"}, 1, 0, slog.New(slog.DiscardHandler)
	config.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s, err := poller.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &goldenServer{s, make(map[websocket.Cause]uint64)}
}

// hold holds a conversation on a connection of its own.
func (s *goldenServer) hold(t *testing.T, config *tls.Config, c websocket.Conversation, how manner) {
	t.Helper()
	offer, _ := httphead.ParseOptions([]byte(c.Offer), nil)
	d := ws.Dialer{Timeout: 30 * time.Second, TLSConfig: config, Extensions: offer}
	conn, _, _, err := d.Dial(t.Context(), "wss://"+s.Addrs()[0].String()+"/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	says := make(chan []byte, len(c.Turns)+1)
	defer close(says)
	go func() { // a long echo comes while the message is under way
		for p := range says {
			write(conn, p, how)
		}
	}()
	var in, want []byte
	for i, turn := range c.Turns {
		last := i == len(c.Turns)-1
		in, want = append(in, turn[0]...), append(want, turn[1]...)
		if how == turnByTurn && !(last && c.Ends) {
			says <- in
			wantBytes(t, conn, want)
			in, want = nil, nil
		}
	}
	says <- append(in, c.Rest...)
	if !c.Ends {
		wantBytes(t, conn, want)
		return
	}
	s.ended[c.Cause]++
	wantEnd(t, conn, want, c)
}

// write writes as long as the server takes it.
func write(conn net.Conn, p []byte, how manner) {
	step := len(p)
	if how == byteByByte {
		step = 1
	}
	for len(p) > 0 {
		if _, err := conn.Write(p[:step]); err != nil {
			return
		}
		p = p[step:]
	}
}

func wantBytes(t *testing.T, conn net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes %.80q, %v, want %d, %.80q", n, got[:n], err, len(want), want)
	}
}

// wantEnd reads the end of a conversation: the last answers, a close frame with
// its code, and the end of TLS. Who sends more meanwhile may get a reset instead.
func wantEnd(t *testing.T, conn net.Conn, want []byte, c websocket.Conversation) {
	t.Helper()
	got, err := io.ReadAll(conn)
	if err != nil && (c.Rest == "" || !errors.Is(err, syscall.ECONNRESET)) {
		t.Fatalf("it ended with %v", err)
	}
	rest, ok := bytes.CutPrefix(got, want)
	if !ok {
		t.Fatalf("got %.80q, want %.80q", got, want)
	}
	if c.Code == 0 && len(rest) > 0 || c.Code != 0 && (len(rest) < 4 || rest[0] != 0x88 || ws.StatusCode(rest[2])<<8|ws.StatusCode(rest[3]) != c.Code) {
		t.Fatalf("got %.80q behind the answers, want close code %d", rest, c.Code)
	}
}
