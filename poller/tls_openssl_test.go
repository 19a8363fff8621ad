package poller

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// openssl is s_client of OpenSSL: another reading of TLS, which can do what
// crypto/tls cannot as a client.
type openssl struct {
	t     testing.TB
	stdin io.WriteCloser
	mu    sync.Mutex
	out   bytes.Buffer
	ended chan struct{}
}

func (o *openssl) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p)
}

// says sends p as it is; what begins with K or R is a command of s_client's.
func (o *openssl) says(p string) {
	o.t.Helper()
	if _, err := io.WriteString(o.stdin, p); err != nil {
		o.t.Fatal(err)
	}
}

// hears waits until it has printed text.
func (o *openssl) hears(text string) {
	o.t.Helper()
	o.hearsTimes(text, 1)
}

// hearsTimes waits until it has printed text n times.
func (o *openssl) hearsTimes(text string, n int) {
	o.t.Helper()
	defer func() {
		if o.t.Failed() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.t.Logf("%s", o.out.String())
		}
	}()
	eventually(o.t, text, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return bytes.Count(o.out.Bytes(), []byte(text)) >= n
	})
}

// echo sends a message in a record of its own and waits for its echo.
func (o *openssl) echo(p string) {
	o.t.Helper()
	o.says(string(masked(ws.OpText, []byte(p), true)))
	o.hears(p)
}

// dialOpenSSL opens a WebSocket with s_client.
func (s *running) dialOpenSSL(args ...string) *openssl {
	s.t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("ECHOGATE_TEST_OPENSSL") == "required" {
			s.t.Fatal("openssl is required here")
		}
		s.t.Skip("no openssl")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	c := exec.CommandContext(ctx, path, append([]string{"s_client", "-connect", s.Addrs()[0].String()}, args...)...)
	o := &openssl{t: s.t, ended: make(chan struct{})}
	c.Stdout, c.Stderr = o, o
	if o.stdin, err = c.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(o.ended)
		_ = c.Wait()
	}()
	s.t.Cleanup(func() {
		cancel()
		<-o.ended
	})
	o.says(request("/"))
	o.hears("Sec-WebSocket-Accept")
	return o
}

// RFC 8446 §4.6.3: either side may change its keys at any time; a client that
// asks for it gets the server's new ones, too.
func TestTLSKeyUpdate(t *testing.T) {
	t.Parallel()
	s := startTLS(t, newAuthority(t), map[string]websocket.Route{"/": echoing}, nil)
	o := s.dialOpenSSL("-tls1_3", "-msg")
	o.echo("with the first keys")
	o.says("k\n") // its own keys
	o.hears(">>> TLS 1.3, Handshake [length 0005], KeyUpdate")
	o.echo("with its second keys")
	o.says("K\n") // and the server's
	const answered = "<<< TLS 1.3, Handshake [length 0005], KeyUpdate"
	o.hears(answered)
	o.echo("with the second keys of both")
	o.says("K\n")
	o.hearsTimes(answered, 2) // s_client takes a command for all that it reads at once
	o.echo("with the third keys " + strings.Repeat("x", 5000))
	if got := s.Stats(); got.Connections != 1 {
		t.Errorf("got %+v", got)
	}
}

// A client that changes keys again and again, and says nothing, is ended: every
// change costs the server an answer.
func TestTLSKeyUpdateFlood(t *testing.T) {
	t.Parallel()
	s := startTLS(t, newAuthority(t), map[string]websocket.Route{"/": echoing}, nil)
	o := s.dialOpenSSL("-tls1_3", "-msg")
	for i := range 16 {
		o.says("K\n")
		o.hearsTimes("<<< TLS 1.3, Handshake [length 0005], KeyUpdate", i+1)
	}
	o.says("K\n")
	o.hears("alert unexpected message")
	s.wantClosed(websocket.CauseTLS, 1)
}

// RFC 5746, RFC 8446 §4.1.2: nobody renegotiates here.
func TestTLSRenegotiationIsRefused(t *testing.T) {
	t.Parallel()
	s := startTLS(t, newAuthority(t), map[string]websocket.Route{"/": echoing}, nil)
	o := s.dialOpenSSL("-tls1_2")
	o.echo("before")
	o.says("R\n")
	o.hears("alert unexpected message")
	s.wantClosed(websocket.CauseTLS, 1)
}
