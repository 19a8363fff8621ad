package poller

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// hasIPv6 reports whether this machine can listen on ::1.
func hasIPv6() bool {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

// tellRemote answers every message with the peer's address.
var tellRemote = websocket.Route{
	Message: func(c *websocket.Conn, op ws.OpCode, _ []byte) error {
		return c.Send(op, []byte(c.Remote().String()))
	},
}

// Every address that a listen address stands for is served, the port that the
// kernel chose is told, and a peer of IPv4 is one on a dual-stack socket too.
func TestListen(t *testing.T) {
	six := hasIPv6()
	for _, x := range []struct {
		name   string
		listen []string
		hosts  [][]string // who must be served, by listener
		ipv6   bool
	}{
		{"IPv4", []string{"127.0.0.1:0"}, [][]string{{"127.0.0.1"}}, false},
		{"localhost", []string{"localhost:0"}, [][]string{{"127.0.0.1"}}, false},
		{"all of IPv4", []string{"0.0.0.0:0"}, [][]string{{"127.0.0.1", "127.0.0.9"}}, false},
		{"several", []string{"127.0.0.1:0", "127.0.0.2:0"}, [][]string{{"127.0.0.1"}, {"127.0.0.2"}}, false},
		{"any family", []string{":0"}, [][]string{{"127.0.0.1"}}, false},
		{"dual stack", []string{":0"}, [][]string{{"127.0.0.1", "::1"}}, true},
		{"IPv6", []string{"[::1]:0"}, [][]string{{"::1"}}, true},
		{"one port, two families", []string{"127.0.0.1:0", "[::1]:0"}, [][]string{{"127.0.0.1"}, {"::1"}}, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.ipv6 && !six {
				t.Skip("this machine has no IPv6")
			}
			s := start(t, map[string]websocket.Route{"/": tellRemote}, func(c *Config) { c.Listen = x.listen })
			if got := len(s.Addrs()); got != len(x.hosts) {
				t.Fatalf("got %d addresses, want %d: %v", got, len(x.hosts), s.Addrs())
			}
			for i, hosts := range x.hosts {
				_, port, _ := net.SplitHostPort(s.Addrs()[i].String())
				for _, host := range hosts {
					c := s.dialAt(net.JoinHostPort(host, port), "/")
					c.text("who am I")
					c.wantText(c.LocalAddr().String())
				}
			}
		})
	}
}

// IPv6 alone does not take the port of IPv4.
func TestListenIPv6Only(t *testing.T) {
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Listen = []string{"[::]:0"} })
	_, port, _ := net.SplitHostPort(s.Addrs()[0].String())
	s.dialAt("[::1]:"+port, "/").echo("six")
	ln, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatalf("the port is taken for IPv4 too: %v", err)
	}
	ln.Close()
}

// What cannot be listened on is said, and nothing is left open.
func TestListenFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	routes, err := websocket.Compile(map[string]websocket.Route{"/": echoing})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ address, want string }{
		{"127.0.0.1", "want host:port"},
		{"127.0.0.1:http", "port must be a number"},
		{"127.0.0.1:65536", "port must be a number"},
		{"example.org:80", "host must be an IP address"},
		{taken.Addr().String(), "address already in use"},
		{"192.0.2.1:0", "cannot assign requested address"},
	} {
		before := openDescriptors()
		config := Default(routes)
		config.Listen = []string{"127.0.0.1:0", x.address}
		s, err := New(config)
		if s != nil || err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), x.address) {
			t.Errorf("%s: got %v, want an error with %q and the address", x.address, err, x.want)
		}
		if now := openDescriptors(); now != before {
			t.Errorf("%s: %d descriptors before, %d after", x.address, before, now)
		}
	}
}

// TCP_USER_TIMEOUT of what is accepted is the longer of idle and stall time and
// 30 s more, and Nagle's algorithm is off (limits.md D1).
func TestAcceptedSocketOptions(t *testing.T) {
	got := make(chan [2]int, 1)
	look := websocket.Route{
		Open: func(c *websocket.Conn) error {
			timeout, _ := unix.GetsockoptInt(int(c.ID()), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
			nodelay, _ := unix.GetsockoptInt(int(c.ID()), unix.IPPROTO_TCP, unix.TCP_NODELAY)
			got <- [2]int{timeout, nodelay}
			return nil
		},
	}
	for _, x := range []struct {
		idle, stall time.Duration
		want        int
	}{
		{120 * time.Second, 30 * time.Second, 150_000},
		{20 * time.Second, 50 * time.Second, 80_000},
		{-1, 30 * time.Second, 0}, // a limit that is off leaves it to the kernel
	} {
		s := start(t, map[string]websocket.Route{"/": look}, func(c *Config) {
			c.Limits.IdleTimeout, c.Limits.StallTimeout = x.idle, x.stall
		})
		s.dial("/")
		if have := receive(t, got); have != [2]int{x.want, 1} {
			t.Errorf("idle %s, stall %s: got user timeout and no-delay %v, want %v", x.idle, x.stall, have, [2]int{x.want, 1})
		}
	}
}

// inheritable opens a listening socket and gives its descriptor away.
func inheritable(t *testing.T, host string) (fd int, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return duplicate(t, ln.(*net.TCPListener)), ln.Addr().String()
}

func duplicate(t *testing.T, ln *net.TCPListener) int {
	t.Helper()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// An inherited socket is served without being named; connections that waited in
// its backlog before there was a server are not lost.
func TestInheritedListener(t *testing.T) {
	fd, addr := inheritable(t, "127.0.0.1")
	early, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	waiting := newClient(t, early)
	waiting.write([]byte(request("/")))
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Listen, c.Inherited = nil, []int{fd} })
	if got := s.Addrs()[0].String(); got != addr {
		t.Fatalf("serves %s, want %s", got, addr)
	}
	waiting.upgraded().echo("early")
	s.dial("/").echo("late")
	waiting.Close() // it is older than the server, which would wait for it
}

// With listen addresses an inherited socket that one of them names is served,
// in its place; another is closed with a log line.
func TestInheritedListenerByName(t *testing.T) {
	named, addr := inheritable(t, "127.0.0.1")
	other, otherAddr := inheritable(t, "127.0.0.2")
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Listen, c.Inherited = []string{addr, "127.0.0.1:0"}, []int{other, named}
	})
	if got := s.Addrs(); len(got) != 2 || got[0].String() != addr {
		t.Fatalf("serves %v, want %s and one more", got, addr)
	}
	s.dialAt(addr, "/").echo("named")
	s.dialAt(s.Addrs()[1].String(), "/").echo("own")
	if conn, err := net.Dial("tcp", otherAddr); err == nil {
		conn.Close()
		t.Errorf("%s was not named and is still listened on", otherAddr)
	}
	if s.log.lines(otherAddr) != 1 {
		t.Errorf("got log %q, want one line that names %s", s.log, otherAddr)
	}
}

// A port of 0 is the kernel's choice, and it has made one already for a socket
// that is inherited: a take-over keeps it. What another address names is that
// one's, whatever the order, and each address has one socket.
func TestInheritedListenerKeepsItsPort(t *testing.T) {
	named, namedAddr := inheritable(t, "127.0.0.1")
	elsewhere, elsewhereAddr := inheritable(t, "127.0.0.2")
	first, firstAddr := inheritable(t, "127.0.0.1")
	second, secondAddr := inheritable(t, "127.0.0.1")
	spare, spareAddr := inheritable(t, "127.0.0.1")
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.Listen = []string{"127.0.0.1:0", namedAddr, "127.0.0.1:0?tls=off"}
		c.Inherited = []int{named, elsewhere, first, second, spare}
	})
	want := []string{namedAddr, firstAddr, secondAddr}
	if got := s.Addrs(); len(got) != len(want) {
		t.Fatalf("serves %v, want %v", got, want)
	}
	for i, addr := range want {
		if ln := s.listeners[i]; ln.addr.String() != addr || ln.Plain != (addr == secondAddr) {
			t.Errorf("listener %d: got %s, plain %v, want %s, the second alone plain", i, ln.addr, ln.Plain, addr)
		}
		s.dialAt(addr, "/").echo("served")
	}
	for _, addr := range []string{elsewhereAddr, spareAddr} {
		if s.log.lines(addr) != 1 {
			t.Errorf("got log %q, want one line that names %s", s.log, addr)
		}
	}
}

// What is inherited must listen; nothing else is taken for a listener.
func TestInheritedNoListener(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	routes, err := websocket.Compile(map[string]websocket.Route{"/": echoing})
	if err != nil {
		t.Fatal(err)
	}
	config := Default(routes)
	config.Listen, config.Inherited = nil, []int{int(r.Fd())}
	if s, err := New(config); s != nil || err == nil || !strings.Contains(err.Error(), "no listening socket") {
		t.Errorf("got %v, want an error: no listening socket", err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		t.Errorf("a pipe that was refused: got %v, want it untouched", err)
	}
}

// While one server drains, the next one accepts on the same socket: no connect
// is refused, reset or left without an answer.
func TestTakeOver(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	next := func() *running {
		fd := duplicate(t, ln.(*net.TCPListener))
		return start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
			c.Listen, c.Inherited, c.Drain = nil, []int{fd}, 200*time.Millisecond
		})
	}
	s := next()
	stop := make(chan struct{})
	lost := make(chan error, 1)
	go func() { lost <- connectUntil(stop, ln.Addr().String()) }()
	for range 3 {
		served := s.Stats().Upgrades
		s.until("new connections", func(got Stats) bool { return got.Upgrades > served+20 })
		old := s
		s = next()
		old.stop()
		if err := old.wait(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := receive(t, lost); err != nil {
		t.Error(err)
	}
}

// connectUntil opens one WebSocket connection after the other and leaves each
// to its fate once it has got its 101.
func connectUntil(stop <-chan struct{}, addr string) error {
	good := []byte("HTTP/1.1 101 ")
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		conn, err := net.DialTimeout("tcp", addr, patience)
		if err != nil {
			return err
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		got := make([]byte, len(good))
		if _, err = conn.Write([]byte(request("/"))); err == nil {
			_, err = io.ReadFull(conn, got)
		}
		conn.Close()
		if err != nil {
			return err
		}
		if string(got) != string(good) {
			return &net.AddrError{Err: string(got), Addr: addr}
		}
	}
}
