package poller

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller/address"
	"echogate/poller/websocket"
)

// linePreface is a preface of these tests: "for ADDR\n" or "local\n". The one of
// the PROXY protocol is the program's.
func linePreface(in []byte) (n int, client netip.AddrPort, err error) {
	n = bytes.IndexByte(in, '\n') + 1
	line := strings.TrimSpace(string(in[:n]))
	switch {
	case n == 0 || line == "local":
		return n, client, nil
	case line == "panic":
		panic("by request")
	}
	client, err = netip.ParseAddrPort(strings.TrimPrefix(line, "for "))
	return n, client, err
}

// trustOne trusts 127.0.0.1, and a client that is a proxy itself.
func trustOne(peer netip.Addr) bool {
	return peer == netip.MustParseAddr("127.0.0.1") || peer == netip.MustParseAddr("198.51.100.1")
}

// prefaced makes a server listen for prefaces of 127.0.0.1.
func prefaced(c *Config) {
	c.Listen = []string{"127.0.0.1:0?proxy=required"}
	c.Trusted, c.Preface, c.Forwarded = trustOne, linePreface, headerClient
}

// headerClient is what a request says in the header of these tests.
func headerClient(r *websocket.Request) (client netip.AddrPort, err error) {
	v, ok := r.Header("Test-Client")
	if !ok {
		return client, nil
	}
	return netip.ParseAddrPort(v)
}

// remoteTable tells the address, by a message and by a page.
var remoteTable = map[string]websocket.Route{"/echo": tellRemote, "/page": {
	HTTP: func(w *websocket.Response, _ *websocket.Request) error { w.Body = []byte("page\n"); return nil },
}}

// who asks for the address that the server sees.
func (c *client) who(want string) {
	c.t.Helper()
	c.text("who am I")
	c.wantText(want)
}

// The client that a preface names is the one that handlers see, however the
// bytes come: with the request and a frame behind it, one by one, or before it.
func TestPreface(t *testing.T) {
	s := start(t, remoteTable, prefaced)
	const client = "203.0.113.7:40000"
	whole := append([]byte("for "+client+"\n"+request("/echo")), masked(1, []byte("x"), true)...)

	c := s.connect()
	c.write(whole)
	c.upgraded().wantText(client)

	c = s.connect()
	for i := range whole {
		c.write(whole[i : i+1])
	}
	c.upgraded().wantText(client)

	c = s.connect()
	c.write(whole[:9])
	s.until("it is half open, and waits with something unfinished", func(got Stats) bool {
		return got.HalfOpen == 1 && got.Busy == 1 && got.Buffered > 0
	})
	c.write(whole[9:])
	c.upgraded().wantText(client)

	c = s.connect()
	c.write([]byte("local\n"))
	c.upgrade("/echo").who(c.LocalAddr().String())
	s.until("nothing is kept of those that are open", func(got Stats) bool {
		return got.Connections == 4 && got.Busy == 0 && got.Buffered == 0
	})
}

// TestPrefaceCuts cuts a preface, a request and a frame at every place.
func TestPrefaceCuts(t *testing.T) {
	whole := append([]byte("for 203.0.113.7:1\n"+request("/echo")), masked(1, []byte("x"), true)...)
	l := still(t, func(c *Config) { prefaced(c); c.Loops = 1 })
	var want []byte
	for cut := range whole {
		c := connectTrusted(t, l)
		if cut > 0 {
			c.sends(whole[:cut])
		}
		c.sends(whole[cut:])
		got := c.receives()
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) || !c.ws.Open() || c.busy != 0 {
			t.Fatalf("cut at %d: got %q, want %q, and nothing unfinished", cut, got, want)
		}
		if p := l.identityOf(c.fd, c.slot); p == nil || p.remote().String() != "203.0.113.7:1" {
			t.Fatalf("cut at %d: got %+v", cut, p)
		}
	}
}

// A health check of a proxy is reset before it is accepted: then nobody knows
// from where it came, and it is no fault of anybody's.
func TestPrefaceReset(t *testing.T) {
	l := still(t, func(c *Config) { prefaced(c); c.Loops = 1 })
	c := connectTrusted(t, l)
	l.identityOf(c.fd, c.slot).gen--
	c.sends([]byte("local\n"))
	if c.is(l) || l.stats.Closed[websocket.CauseReset] != 1 || l.stats.Rejected[websocket.RejectProxy] != 0 {
		t.Errorf("got closed %v, rejected %v, want one reset", l.stats.Closed, l.stats.Rejected)
	}
}

// An event that brings nothing does not make the header optional.
func TestPrefaceNothing(t *testing.T) {
	l := still(t, func(c *Config) { prefaced(c); c.Loops = 1 })
	c := connectTrusted(t, l)
	if err := l.event(c.fd, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
		t.Fatal(err)
	}
	c.sends([]byte(request("/echo")))
	if c.ws.Upgraded() || l.stats.Rejected[websocket.RejectProxy] != 1 {
		t.Errorf("got upgraded %t, rejected %v, want 400", c.ws.Upgraded(), l.stats.Rejected)
	}
}

// A Preface that says more than was there costs its own connection, as a panic does.
func TestPrefaceOutOfRange(t *testing.T) {
	for _, n := range []int{-1, 7} {
		l := still(t, func(c *Config) {
			prefaced(c)
			c.Loops = 1
			c.Preface = func([]byte) (int, netip.AddrPort, error) { return n, netip.AddrPort{}, nil }
		})
		c := connectTrusted(t, l)
		c.sends([]byte("local\n"))
		if c.ws.Upgraded() || l.stats.Rejected[websocket.RejectProxy] != 1 {
			t.Errorf("%d of 6 bytes: got rejected %v, want 400", n, l.stats.Rejected)
		}
	}
}

// connectTrusted gives the loop a connection of a proxy that has sent nothing.
func connectTrusted(t *testing.T, l *loop) stillConn {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(pair[1]) })
	l.count.Add(1)
	l.halfOpen.Add(1)
	s := l.table.make(pair[0])
	*l.srv.identities.make(pair[0]) = identity{gen: s.generation() + 1, trusted: true}
	l.adopt(pair[0], admitted, &listener{Options: address.Options{Proxy: true}})
	return stillConn{s, l, t, pair[0], pair[1]}
}

// TestForged is A7 of the limits where a preface is asked for: who is not trusted,
// or sends none, or a bad or an endless one, gets 400, and is counted.
func TestForged(t *testing.T) {
	s := start(t, remoteTable, func(c *Config) { prefaced(c); c.MaxHead = 512 })
	bad := uint64(0)
	refused := func(c *client, sends string) {
		t.Helper()
		c.write([]byte(sends))
		if line := c.answer(); line != "HTTP/1.1 400 Bad Request" {
			t.Errorf("%.40q: got %q, want 400", sends, line)
		}
		bad++
		s.until("counted", func(got Stats) bool {
			return got.Rejected[websocket.RejectProxy] == bad && got.Upgrades == 0
		})
	}
	refused(s.connectFrom("127.0.0.2"), "for 203.0.113.7:1\n"+request("/echo"))
	refused(s.connectFrom("127.0.0.2"), request("/echo"))
	refused(s.connect(), request("/echo"))
	refused(s.connect(), "for nobody\n"+request("/echo"))
	refused(s.connect(), "panic\n"+request("/echo"))
	refused(s.connect(), strings.Repeat("x", 512))
	refused(s.connect(), "local"+strings.Repeat(" ", 600)+"\n")
	if s.log.lines(`msg="handler panicked"`) != 1 || s.log.lines("no good PROXY protocol header") != int(bad) {
		t.Errorf("got log %s", s.log)
	}
	s.wantClosed(websocket.CauseHTTP, bad)
	c := s.connect()
	c.write([]byte("for 203.0.113.7:1\n"))
	c.upgrade("/echo").who("203.0.113.7:1")
}

// The time for a request begins at accept: a preface that drips in does not
// extend it.
func TestPrefaceTimeout(t *testing.T) {
	l := still(t, func(c *Config) { prefaced(c); c.Loops, c.HandshakeTimeout = 1, 10*time.Second })
	c := connectTrusted(t, l)
	for range 19 {
		later(t, l, time.Second/2)
		c.sends([]byte("f"))
	}
	if !c.is(l) {
		t.Fatal("it ended too early")
	}
	later(t, l, time.Second/2+tickTime)
	if got := l.stats.Closed[websocket.CauseHandshakeTimeout]; c.is(l) || got != 1 {
		t.Errorf("got %d ended for their handshake's time, want 1", got)
	}
}

// The cap per address is that of the clients: the proxy that brings them has
// none, whatever it has not said yet.
func TestPrefacePerAddress(t *testing.T) {
	log := new(logBuffer)
	s := start(t, remoteTable, func(c *Config) {
		prefaced(c)
		c.MaxPerAddress = 2
		c.AccessLog = slog.New(slog.NewTextHandler(log, nil))
	})
	for range 5 {
		s.connect() // in silence
	}
	ask := func(preface, want string) *client {
		t.Helper()
		c := s.connect()
		c.write([]byte(preface))
		if line := c.ask("/echo"); !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("%q: got %q, want %s", preface, line, want)
		}
		return c
	}
	first := ask("for 203.0.113.7:1\n", "101")
	ask("for 203.0.113.7:2\n", "101")
	for port := range 4 { // more than are counted as refused
		ask("for 203.0.113.7:"+string(rune('3'+port))+"\n", "429")
	}
	ask("for [2001:db8::1]:1\n", "101")
	ask("for [2001:db8::2]:1\n", "101")
	ask("for [2001:db8::ffff:0:0:3]:1\n", "429") // of the same /64
	ask("for [2001:db8:0:1::1]:1\n", "101")
	for range 3 {
		ask("local\n", "101")
	}
	if got := s.Stats().Refused[RefusedPerAddress]; got != 5 {
		t.Errorf("got %d refused, want 5", got)
	}
	first.reset()
	eventually(t, "a line with the client's address", func() bool { return log.lines("addr=203.0.113.7:1 ") == 1 })
	ask("for 203.0.113.7:9\n", "101")
	s.Cut()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if n := len(s.addresses.of); n != 0 {
		t.Errorf("got %d addresses with connections, want none", n)
	}
}

// withClient is an upgrade request that names a client.
func withClient(client string) string {
	return strings.Replace(request("/echo"), "\r\n\r\n", "\r\nTest-Client: "+client+"\r\n\r\n", 1)
}

// A header names the client when a trusted peer has sent it, and only then; one
// that cannot be read is ignored, and counted.
func TestForwarded(t *testing.T) {
	s := start(t, remoteTable, func(c *Config) { c.Trusted, c.Forwarded = trustOne, headerClient })
	who := func(c *client, request, want string) {
		t.Helper()
		c.write([]byte(request))
		c.upgraded().who(want)
	}
	c := s.connect()
	who(c, withClient("203.0.113.7:1"), "203.0.113.7:1")
	c = s.connect()
	who(c, withClient("[2001:db8::7]:0"), "[2001:db8::7]:0")
	c = s.connect()
	who(c, request("/echo"), c.LocalAddr().String())
	c = s.connectFrom("127.0.0.2")
	who(c, withClient("203.0.113.7:1"), c.LocalAddr().String())
	if got := s.Stats().ForwardedIgnored; got != 0 {
		t.Errorf("got %d ignored, want none", got)
	}
	c = s.connect()
	who(c, withClient("nobody"), c.LocalAddr().String())
	c = s.connectFrom("127.0.0.2")
	who(c, withClient("nobody"), c.LocalAddr().String())
	if got := s.Stats().ForwardedIgnored; got != 1 {
		t.Errorf("got %d ignored, want 1: nobody looks at what is not trusted", got)
	}
}

// One connection of a proxy carries requests of many clients: who is not named
// any more has not come.
func TestForwardedAgain(t *testing.T) {
	s := start(t, remoteTable, func(c *Config) {
		c.Trusted, c.Forwarded, c.MaxPerAddress = trustOne, headerClient, 1
	})
	c := s.connect()
	page := func(client string) {
		t.Helper()
		c.write([]byte("GET /page HTTP/1.1\r\nHost: x\r\nTest-Client: " + client + "\r\n\r\n"))
		c.wantPage()
	}
	page("203.0.113.7:1")
	page("203.0.113.8:1")
	other := s.connect()
	other.write([]byte(withClient("203.0.113.7:2"))) // its place is free again
	other.upgraded().who("203.0.113.7:2")
	c.write([]byte(request("/echo")))
	c.upgraded().who(c.LocalAddr().String())
	last := s.connect()
	last.write([]byte(withClient("203.0.113.7:3")))
	if line := last.answer(); line != "HTTP/1.1 429 Too Many Requests" {
		t.Errorf("got %q, want 429", line)
	}
}

// Behind a preface the peer is the client: its headers are its own, unless it is
// a proxy that is trusted itself.
func TestForwardedBehindPreface(t *testing.T) {
	s := start(t, remoteTable, func(c *Config) {
		prefaced(c)
		c.Trusted = func(peer netip.Addr) bool { return !peer.IsValid() || trustOne(peer) } // unix peers, too
	})
	for preface, want := range map[string]string{
		"for 203.0.113.7:1\n":  "203.0.113.7:1",
		"for 198.51.100.1:1\n": "192.0.2.9:9",
	} {
		c := s.connect()
		c.write([]byte(preface + withClient("192.0.2.9:9")))
		c.upgraded().who(want)
	}
	c := s.connect()
	c.write([]byte("local\n" + withClient("192.0.2.9:9")))
	c.upgraded().who(c.LocalAddr().String())
}

// A panic while a header is read costs its own connection.
func TestForwardedPanics(t *testing.T) {
	s := start(t, remoteTable, func(c *Config) {
		c.Trusted, c.Forwarded = trustOne, func(*websocket.Request) (netip.AddrPort, error) { panic("by request") }
	})
	c := s.connect()
	c.write([]byte(request("/echo")))
	c.wantEOF()
	c.Close()
	s.wantClosed(websocket.CausePanic, 1)
}

// Whom to trust, and how, must be said for an address that asks for a preface.
func TestPrefaceConfig(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Trusted = nil },
		func(c *Config) { c.Preface = nil },
	} {
		config := quiet(t)
		prefaced(&config)
		change(&config)
		if s, err := New(config); s != nil || err == nil || !strings.Contains(err.Error(), "proxy=required needs Preface and Trusted") {
			t.Errorf("got %v", err)
		}
	}
}
