package poller

import (
	"net"
	"strings"
	"testing"

	"echogate/poller/websocket"
)

var echoTable = map[string]websocket.Route{"/echo": echoing}

// connectFrom opens a TCP connection from an address of this machine.
func (s *running) connectFrom(address string) *client {
	s.t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		s.t.Fatal(err)
	}
	return newClient(s.t, conn)
}

// ask sends an upgrade request and returns the answer's status line.
func (c *client) ask(path string) string {
	c.t.Helper()
	c.write([]byte(request(path)))
	return c.answer()
}

// answer reads a head and returns its first line.
func (c *client) answer() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	for end := line; err == nil && end != "\r\n"; {
		end, err = c.r.ReadString('\n')
	}
	if err != nil {
		c.t.Fatalf("answer: got %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

// inOrder waits until n connections have been accepted and every loop has ticked
// since: between loops the order of connections is that of their ticks.
func (s *running) inOrder(n uint64) {
	s.t.Helper()
	s.until("accepted", func(got Stats) bool { return got.Accepted == n })
	came := s.now()
	eventually(s.t, "a tick of every loop", func() bool {
		passed := true
		s.onLoops(func(l *loop) { passed = passed && (!l.armed || l.tick > came) })
		return passed
	})
}

// reload changes the configuration that is in force.
func (s *running) reload(t *testing.T, table map[string]websocket.Route, change func(*Config)) error {
	t.Helper()
	config := *s.conf()
	config.Routes = compiled(t, table)
	change(&config)
	return s.Reload(config)
}
