package poller

import (
	"net"
	"net/netip"
	"testing"

	"echogate/poller/websocket"
)

// TestPerAddress is E4 of the limits, smaller: who is above the cap of its
// address gets 429, a freed place can be used again, others are not concerned.
func TestPerAddress(t *testing.T) {
	const most = 5
	s := start(t, echoTable, func(c *Config) { c.MaxPerAddress = most })
	var in []*client
	for i := range 2 * most {
		c := s.connectFrom("127.0.0.1")
		if i < most {
			in = append(in, c.upgrade("/echo"))
		} else if line := c.ask("/echo"); line != "HTTP/1.1 429 Too Many Requests" {
			t.Fatalf("connection %d of %d: got %q, want 429", i+1, most, line)
		}
	}
	if got := s.Stats().Refused[RefusedPerAddress]; got != most {
		t.Errorf("got %d refused, want %d", got, most)
	}
	s.connectFrom("127.0.0.2").upgrade("/echo").echo("another address")
	in[0].reset() // its address is known all the same
	s.until("a place is free", func(got Stats) bool { return got.Connections == most })
	s.connectFrom("127.0.0.1").upgrade("/echo").echo("a freed place")
}

// TestPerAddressSilent: who is above the cap and sends no request holds at most
// as many places again.
func TestPerAddressSilent(t *testing.T) {
	const most = 3
	s := start(t, echoTable, func(c *Config) { c.MaxPerAddress = most })
	for range 4 * most {
		s.connect()
	}
	s.until("the rest is turned away", func(got Stats) bool {
		return got.Connections == 2*most && got.Refused[RefusedPerAddress] == 3*most && got.Closed[websocket.CauseHTTP] == 2*most
	})
}

// TestPerAddressBalance: everybody is counted out again, however it ended.
func TestPerAddressBalance(t *testing.T) {
	s := start(t, echoTable, func(c *Config) { c.MaxPerAddress, c.MaxConnections = 2, 3 })
	for range 3 {
		s.connect()
		c := s.connectFrom("127.0.0.3")
		c.write([]byte(request("/echo")))
		c.reset()
	}
	s.until("all have come", func(got Stats) bool { return got.Accepted == 6 })
	s.stop()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if n, half := len(s.addresses.of), s.Stats().HalfOpen; n != 0 || half != 0 {
		t.Errorf("got %d addresses with connections and %d half-open ones, want none", n, half)
	}
}

// TestAddressesAgain: who was refused is served when there is a place again.
func TestAddressesAgain(t *testing.T) {
	var a addresses
	first, second := new(identity), new(identity)
	if a.enter(first, 1) != admitted || a.enter(second, 1) != refusedAddress {
		t.Fatal("want the first served and the second refused")
	}
	a.leave(first)
	a.leave(second)
	if got := a.enter(second, 1); got != admitted {
		t.Errorf("got %d, want it served", got)
	}
}

func TestNetworks(t *testing.T) {
	same := func(want bool, a, b string) {
		t.Helper()
		p, q := identity{addr: netip.MustParseAddr(a).As16()}, identity{addr: netip.MustParseAddr(b).As16()}
		if got := networkOf(&p) == networkOf(&q); got != want {
			t.Errorf("%s and %s are one: got %v, want %v", a, b, got, want)
		}
	}
	same(true, "192.0.2.1", "::ffff:192.0.2.1")
	same(false, "192.0.2.1", "192.0.2.2")
	same(false, "::ffff:192.0.2.1", "::ffff:192.0.2.2")
	same(true, "2001:db8:0:1::1", "2001:db8:0:1:ffff::2")
	same(false, "2001:db8:0:1::1", "2001:db8:0:2::1")
}

// TestRemoteIsKept: with a cap per address the address is known even when the
// kernel has forgotten it.
func TestRemoteIsKept(t *testing.T) {
	ended := make(chan netip.AddrPort, 1)
	s := start(t, map[string]websocket.Route{"/": {
		Message: echoing.Message,
		Close:   func(c *websocket.Conn, _ websocket.CloseError) { ended <- c.Remote() },
	}}, func(c *Config) { c.MaxPerAddress = 1 })
	c := s.dial("/")
	want := c.LocalAddr().(*net.TCPAddr).AddrPort()
	c.reset()
	if got := <-ended; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
