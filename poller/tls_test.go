package poller

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

func TestTLSEcho(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	for _, v := range versions {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			config := a.client()
			config.MinVersion, config.MaxVersion = v, v
			c := s.in(t).dialTLS(config, "/")
			c.echo("hello")
			c.echo(strings.Repeat("x", 300_000))
			c.echo("")
			c.write(masked(ws.OpClose, closeBody(1000, ""), true))
			c.want(ws.OpClose, "\x03\xe8")
			c.wantEOF()
		})
	}
	s.wantClosed(websocket.CausePeer, 2)
}

// A handler is told what the encryption is; of a plain connection, that there is
// none.
func TestTLSFacts(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	facts := make(chan websocket.TLS, 1)
	table := map[string]websocket.Route{"/": {Message: echoing.Message, Open: func(c *websocket.Conn) error {
		f, ok := c.TLS()
		if ok == (f == websocket.TLS{}) {
			t.Errorf("got %+v, %t", f, ok)
		}
		facts <- f
		return nil
	}}}
	s := startTLS(t, a, table, func(c *Config) {
		c.TLS.ClientCAs, c.TLS.ClientAuth = a.pool, tls.VerifyClientCertIfGiven
	})
	config := a.client()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	pair := a.issue("client.example", nil)
	config.Certificates, config.CurvePreferences = []tls.Certificate{pair}, []tls.CurveID{tls.X25519}
	for _, resumed := range []bool{false, true} {
		c := s.dialTLS(config, "/")
		got := receive(t, facts)
		want := websocket.TLS{
			Version: "TLS 1.3", Cipher: tls.CipherSuiteName(c.ConnectionState().CipherSuite), Curve: "X25519",
			ServerName: "test.example", Protocol: "http/1.1", Resumed: resumed, Peer: string(pair.Certificate[0]),
		}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		c.echo("the ticket is read before this")
	}
	plain := start(t, table, nil)
	plain.dial("/")
	if got := receive(t, facts); got != (websocket.TLS{}) {
		t.Errorf("got %+v of a plain connection", got)
	}
}

// What a peer that does not read is sent waits, is bounded, and arrives whole and
// in order.
func TestTLSBackPressure(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 1 })
	c := s.dialTLS(a.client(), "/")
	const messages, size = 400, 50_000
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			p := binary.BigEndian.AppendUint32(bytes.Repeat([]byte{'x'}, size-4), uint32(i))
			if _, err := c.Write(masked(ws.OpBinary, p, true)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	s.until("the connection is not read", func(got Stats) bool { return got.Paused == 1 })
	if got := s.Stats().Buffered; got > 64<<10+readSealed+2*size {
		t.Errorf("%d bytes are buffered", got)
	}
	for i := range messages {
		op, p, err := readFrame(c.r)
		if err != nil || op != ws.OpBinary || len(p) != size || binary.BigEndian.Uint32(p[size-4:]) != uint32(i) {
			t.Fatalf("message %d: got opcode %d, %d bytes, %v", i, op, len(p), err)
		}
	}
	if err := receive(t, sent); err != nil {
		t.Fatal(err)
	}
}

// What is sent from elsewhere than a read is encrypted too: by a Handle, by a
// timer, as a ping, with Flush, after a pause, by a job, and when the server goes.
func TestTLSOtherSends(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	long := bytes.Repeat([]byte("long "), 100_000)
	handles := make(chan websocket.Handle, 1)
	table := map[string]websocket.Route{
		"/handle": {Open: func(c *websocket.Conn) error { handles <- c.Handle(); return nil }},
		"/": {
			Limits: websocket.Limits{PingInterval: 50 * time.Millisecond},
			Open: func(c *websocket.Conn) error {
				c.After(time.Millisecond, func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("timer")) })
				return nil
			},
			Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
				_ = c.Send(op, []byte("first"))
				_ = c.Flush()
				c.Pause()
				c.After(time.Millisecond, func(c *websocket.Conn) error { c.Resume(); return nil })
				return c.Go(func() func(*websocket.Conn) error {
					return func(c *websocket.Conn) error { return c.Send(op, []byte("second")) }
				})
			},
		},
	}
	s := startTLS(t, a, table, nil)
	h := s.dialTLS(a.client(), "/handle")
	if err := receive(t, handles).Send(ws.OpBinary, long); err != nil {
		t.Fatal(err)
	}
	h.want(ws.OpBinary, string(long))
	c := s.dialTLS(a.client(), "/")
	c.write(slices.Concat(masked(ws.OpText, []byte("a"), true), masked(ws.OpText, []byte("b"), true)))
	var texts []string
	pings := 0
	for len(texts) < 5 || pings == 0 {
		op, p, err := readFrame(c.r)
		switch {
		case err != nil:
			t.Fatal(err)
		case op == ws.OpPing:
			pings++
			c.write(masked(ws.OpPong, p, true))
		default:
			texts = append(texts, string(p))
		}
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "timer" })
	if got := strings.Join(texts, " "); got != "first second first second" {
		t.Errorf("got %q", got)
	}
	s.stop()
	h.want(ws.OpClose, "\x03\xe9going away")
	h.finish(1001)
}

// The ends of a connection: a half-close is answered with what is owed and
// close_notify, a stream that was cut short is the end as well, a reset is one.
func TestTLSEnds(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{
		"/":      echoing,
		"/reset": {Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error { c.End(websocket.Reset); return nil }},
		"/fin":   {Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error { c.End(websocket.FIN); return nil }},
		"/fails": {Message: func(*websocket.Conn, ws.OpCode, []byte) error { return errors.New("no") }},
	}, nil)
	c := s.dialTLS(a.client(), "/")
	c.write(masked(ws.OpText, []byte("owed"), true))
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.want(ws.OpText, "owed")
	c.wantEOF()
	c = s.dialTLS(a.client(), "/")
	_ = c.tcp.CloseWrite()
	c.wantEOF()
	s.until("closed at the end of the stream", func(got Stats) bool { return got.Closed[websocket.CauseEOF] == 2 })

	c = s.dialTLS(a.client(), "/reset")
	c.write(masked(ws.OpText, nil, true))
	if _, err := c.r.ReadByte(); err == nil || err == io.EOF {
		t.Errorf("got %v, want a reset", err)
	}
	c = s.dialTLS(a.client(), "/fin")
	c.write(masked(ws.OpText, nil, true))
	c.wantEOF()
	c = s.dialTLS(a.client(), "/fails")
	c.write(masked(ws.OpText, nil, true))
	c.want(ws.OpClose, "\x03\xf3")
	c.wantEOF()
}

// limits.md T3: a record that is not of the session ends it, with an alert.
func TestTLSBadRecord(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	for _, bad := range []string{
		"\x17\x03\x03\x00\x20" + strings.Repeat("x", 32), // not encrypted with the keys
		"\x17\x03\x03\xff\xff",                           // longer than any
		"\x17\x02\x00\x00\x01x",
		"GET / HTTP/1.1\r\n\r\n",
	} {
		c := s.dialTLS(a.client(), "/")
		c.echo("hello")
		if _, err := c.tcp.Write([]byte(bad)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.r.ReadByte(); err == nil || err == io.EOF || !strings.Contains(err.Error(), "remote error: tls:") {
			t.Errorf("%.20q: got %v, want an alert", bad, err)
		}
	}
	s.wantClosed(websocket.CauseTLS, 4)
}

// Who speaks plain HTTP where TLS is spoken is told so, and the other way round.
func TestTLSOnTheOtherPort(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	for _, path := range []string{"/", "/nowhere"} {
		w, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(t, "http://"+s.Addrs()[0].String()+path))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(w.Body)
		w.Body.Close()
		if w.StatusCode != 400 || !strings.Contains(string(body), "this port speaks TLS") {
			t.Errorf("got status %d, %q", w.StatusCode, body)
		}
	}
	s.wantClosed(websocket.CauseHTTP, 2)
	if got := s.Stats().Rejected[websocket.RejectTLS]; got != 2 {
		t.Errorf("%d are counted, want 2", got)
	}
	plain := start(t, map[string]websocket.Route{"/": echoing}, nil).connect()
	plain.write(clientHello(t, a.client()))
	w, err := http.ReadResponse(bufio.NewReader(plain), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(w.Body)
	if w.StatusCode != 400 || !strings.Contains(string(body), "this port speaks plain HTTP") {
		t.Errorf("got status %d, %q", w.StatusCode, body)
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Handshakes that fail are refused by crypto/tls, told so, and counted.
func TestTLSHandshakesThatFail(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(t), newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.TLS.ClientCAs, c.TLS.ClientAuth = a.pool, tls.RequireAndVerifyClientCert
	})
	good := func(c *tls.Config) { c.Certificates = []tls.Certificate{a.issue("client", nil)} }
	expired := a.issue("client", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	cases := []struct {
		name string
		edit func(*tls.Config)
		want string // in the client's error; empty: it is served
	}{
		{"good", good, ""},
		{"no certificate", nil, "certificate required"},
		{"expired", func(c *tls.Config) { c.Certificates = []tls.Certificate{expired} }, "expired certificate"},
		{"of somebody else", func(c *tls.Config) {
			// The client would not show what the server does not ask for.
			pair := other.issue("client", nil)
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}, "unknown certificate authority"},
		{"too old", func(c *tls.Config) { good(c); c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "protocol version not supported"},
		{"another protocol", func(c *tls.Config) { good(c); c.NextProtos = []string{"h2"} }, "no application protocol"},
		{"it does not trust the server", func(c *tls.Config) { good(c); c.RootCAs = other.pool }, "unknown authority"},
		{"it wants another name", func(c *tls.Config) { good(c); c.ServerName = "elsewhere.example" }, "elsewhere.example"},
	}
	for _, x := range cases {
		config := a.client()
		if x.edit != nil {
			x.edit(config)
		}
		c := s.connect()
		conn := tls.Client(c.TCPConn, config)
		err := conn.Handshake()
		if err == nil { // in TLS 1.3 the client is done before the server
			_, err = io.WriteString(conn, request("/"))
		}
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %q", x.name, err, x.want)
		}
		c.Close()
	}
	s.until("all are counted", func(got Stats) bool { return got.Rejected[websocket.RejectTLS] == uint64(len(cases)-1) && isZero(got) })
	if got := s.Stats().Closed[websocket.CauseTLS]; got != uint64(len(cases)-1) {
		t.Errorf("%d ended for TLS, want %d", got, len(cases)-1)
	}
}

// A connection that idles holds no goroutine.
func TestTLSIdleHasNoGoroutine(t *testing.T) {
	a := newAuthority(t)
	s := startTLS(t, a, map[string]websocket.Route{"/": echoing}, nil)
	s.dialTLS(a.client(), "/").echo("warm")
	before := runtime.NumGoroutine()
	const n = 300
	for i := range n {
		s.dialTLS(a.client(), "/").echo(fmt.Sprint(i))
	}
	s.until("all are open", func(got Stats) bool { return got.Connections == n+1 && got.HalfOpen == 0 })
	eventually(t, "no goroutine for a connection", func() bool { return runtime.NumGoroutine() <= before })
	if got := s.Stats().Buffered; got != 0 {
		t.Errorf("%d bytes are buffered", got)
	}
}
