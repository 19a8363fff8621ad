package poller

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"echogate/poller/websocket"
)

// limits.md T1: the time for a request is that of TLS and HTTP together, whatever
// has come of it.
func TestTLSHandshakeTimeout(t *testing.T) {
	a := newAuthority(t)
	const each, kinds = 40, 5
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.HandshakeTimeout = 2 * time.Second })
	warm := s.dialTLS(a.client(), "/")
	warm.echo("all goroutines of the server run")
	warm.tcp.Close()
	before := runtime.NumGoroutine()
	hello := clientHello(t, a.client())
	var clients []*client
	for range each {
		silent, half, whole, torn, secret := s.connect(), s.connect(), s.connect(), s.connect(), s.connect()
		half.write(hello[:100])
		whole.write(hello)
		torn.write(hello)
		torn.write([]byte("\x14\x03\x03"))
		if _, err := io.WriteString(secret.secure(a.client()), "GET / HTTP/1.1\r\nHost: te"); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, silent, half, whole, torn, secret)
	}
	for _, c := range clients {
		if _, err := io.Copy(io.Discard, c.r); err != nil {
			t.Fatal(err)
		}
	}
	s.wantClosed(websocket.CauseHandshakeTimeout, kinds*each)
	if got := s.Stats().Rejected[websocket.RejectTLSTimeout]; got != (kinds-1)*each {
		t.Errorf("%d handshakes of TLS are counted as late, want %d", got, (kinds-1)*each)
	}
	eventually(t, "no coroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// A handshake may have so many bytes and no more, however they come.
func TestTLSHandshakeBytes(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	log := new(logBuffer)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for name, endless := range map[string]string{
		"a long hello":  "\x16\x03\x01\x40\x00\x01\x00\xff\xff" + strings.Repeat("x", 0x4000-4),
		"empty records": strings.Repeat("\x16\x03\x01\x00\x01\x01", 1000),
	} {
		c := s.connect()
		for sent := 0; ; sent += len(endless) {
			if _, err := io.WriteString(c, endless); err != nil {
				break
			}
			if sent > 64<<20 { // more than all buffers of the kernel
				t.Fatalf("%s: %d bytes were taken", name, sent)
			}
		}
	}
	s.until("both are refused, and nothing is held", func(got Stats) bool {
		return got.Rejected[websocket.RejectTLS] == 2 && isZero(got)
	})
	if log.lines(errHandshakeBytes.Error()) == 0 { // crypto/tls waits for what a hello announces, up to that and more
		t.Errorf("nobody has counted the bytes: %s", log)
	}
}

// gated is a certificate that is got when the gate is open, and how many wait.
type gated struct {
	tls.Certificate
	gate    chan struct{}
	mu      sync.Mutex
	waiting int
}

func (g *gated) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	g.mu.Lock()
	g.waiting++
	g.mu.Unlock()
	<-g.gate
	return &g.Certificate, nil
}

func (g *gated) waits(n int) func() bool {
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.waiting >= n
	}
}

// startGated runs a server that makes one step at a time and has two wait.
func startGated(t *testing.T, a *authority) (*running, *gated) {
	t.Helper()
	g := &gated{Certificate: a.issue("test.example", nil), gate: make(chan struct{})}
	s := prepare(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.TLS = &tls.Config{GetCertificate: g.get}
	})
	s.steps.max, s.steps.queue = 1, 2
	s.run()
	return s, g
}

// limits.md T2: loops do not wait for signatures; above the queue for those who
// make them newcomers are closed, and who waits is served in its turn.
func TestTLSHandshakeFlood(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s, g := startGated(t, a)
	hello := clientHello(t, a.client())
	begin := func(waiting int) *client {
		c := s.connect()
		c.write(hello)
		eventually(t, "the pool has the step", func() bool {
			s.steps.mu.Lock()
			defer s.steps.mu.Unlock()
			return len(s.steps.waiting) == waiting && s.steps.running == 1
		})
		return c
	}
	waits := []*client{begin(0), begin(1), begin(2)}
	eventually(t, "one is at the gate", g.waits(1))
	for range 3 {
		c := s.connect()
		c.write(hello)
		c.wantReset()
	}
	silent := s.connect() // a loop that is not kept closes it
	silent.write([]byte("GET / HTTP/1.1\r\n\r\n"))
	if _, err := io.Copy(io.Discard, silent.r); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Refused[RefusedTLSBusy]; got != 3 {
		t.Errorf("%d were refused, want 3", got)
	}
	close(g.gate)
	for _, c := range waits {
		if b, err := c.r.ReadByte(); err != nil || b != recordHandshake {
			t.Errorf("got byte %#x, %v, want the server's flight", b, err)
		}
	}
	s.dialTLS(a.client(), "/").echo("served again")
}

// A connection may end while a step of its handshake runs, or waits; so may the
// server.
func TestTLSEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s, g := startGated(t, a)
	hello := clientHello(t, a.client())
	for range 3 {
		c := s.connect()
		c.write(hello)
		defer c.reset()
	}
	eventually(t, "one is at the gate", g.waits(1))
	s.until("two wait", func(Stats) bool { return s.steps.crowded() })
	s.Cut()
	s.until("the connections are gone", func(got Stats) bool { return got.Connections == 0 })
	close(g.gate)
	if err := s.wait(); err != nil {
		t.Error(err)
	}
}

// A connection whose time is over while its step runs leaves nothing behind when
// the step ends, though the server goes on.
func TestTLSStepOutlivesItsConnection(t *testing.T) {
	a := newAuthority(t)
	g := &gated{Certificate: a.issue("test.example", nil), gate: make(chan struct{})}
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.TLS, c.HandshakeTimeout = &tls.Config{GetCertificate: g.get}, 100*time.Millisecond
	})
	s.until("the loops run", func(got Stats) bool { return len(got.PerLoop) == 2 })
	before := runtime.NumGoroutine()
	c := s.connect()
	c.write(clientHello(t, a.client()))
	eventually(t, "it is at the gate", g.waits(1))
	s.wantClosed(websocket.CauseHandshakeTimeout, 1)
	close(g.gate)
	eventually(t, "its coroutine has ended", func() bool { return runtime.NumGoroutine() <= before })
}

// A step that ends when nobody reads its loop's mail any more leaves nothing
// behind either.
func TestTLSStepOutlivesItsLoop(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s, err := New(quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	step := new(session)
	step.begin(a.server(), &net.TCPAddr{})
	step.in = clientHello(t, a.client())
	step.step()
	if err := s.loops[0].mail.post(s.loops[0], letter{kind: letterStepped, session: step}); err != nil {
		t.Fatal(err)
	}
	s.close()
	if !step.done || !errors.Is(step.err, errAbandoned) {
		t.Errorf("done %t, %v", step.done, step.err)
	}
}

// What a function of the configuration panics with ends its own handshake.
func TestTLSPanic(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		pair := &c.TLS.Certificates[0]
		c.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName == "bad.example" {
				panic("on purpose")
			}
			if !strings.HasPrefix(h.Conn.RemoteAddr().String(), "127.0.0.1:") {
				t.Errorf("the remote address is %s", h.Conn.RemoteAddr())
			}
			return pair, nil
		}}
	})
	config := a.client()
	config.ServerName = "bad.example"
	c := s.connect()
	if err := tls.Client(c.TCPConn, config).Handshake(); err == nil {
		t.Error("it was served")
	}
	s.wantClosed(websocket.CauseTLS, 1)
	s.dialTLS(a.client(), "/").echo("the others are")
}

// The caps on connections that have not upgraded, and on those of one address,
// hold in the handshake too; so does the sum of all buffers.
func TestTLSCaps(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	hello := clientHello(t, a.client())
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxHalfOpen = 5 })
	for range 8 {
		s.connect().write(hello)
	}
	s.until("the oldest three are cut", func(got Stats) bool { return got.Refused[RefusedHalfOpen] == 3 && got.HalfOpen == 5 })
	s.dialTLS(a.client(), "/").echo("a newcomer is served")

	s = startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxPerAddress = 1 })
	s.dialTLS(a.client(), "/").echo("one")
	refused := s.connect().secure(a.client())
	refused.write([]byte(request("/")))
	if line, err := refused.r.ReadString('\n'); err != nil || !strings.Contains(line, " 429 ") {
		t.Errorf("got %q, %v, want 429 inside TLS", line, err)
	}

	s = startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxBuffered, c.Loops = 200<<10, 1 })
	for range 40 { // each holds all but the end of a record
		s.connect().write(append([]byte("\x16\x03\x01\x40\x00"), make([]byte, 0x3fff)...))
	}
	s.until("some had to go", func(got Stats) bool { return got.Closed[websocket.CauseMemory] > 0 && got.Buffered < 300<<10 })
}

// A new certificate is taken by handshakes that begin afterwards; who is there
// stays.
func TestTLSReload(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t), newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	c := s.dialTLS(a.client(), "/")
	config := s.Config()
	config.TLS = b.server()
	if err := s.Reload(config); err != nil {
		t.Fatal(err)
	}
	s.dialTLS(b.client(), "/").echo("new")
	c.echo("old")
	config.TLS = nil
	if err := s.Reload(config); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("got %v, want TLS to stay", err)
	}
	config.TLS = new(tls.Config)
	if err := s.Reload(config); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want a certificate to be asked for", err)
	}
}
