package poller

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// A PROXY protocol header comes in the clear, and TLS behind it: in the same
// segment or later, and byte by byte. The client that it names is the one that
// handlers see.
func TestTLSBehindPreface(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, remoteTable, prefaced)
	const client = "203.0.113.7:40000"
	for _, way := range []string{"at once", "before it", "byte by byte"} {
		c := s.connect()
		conn := &prefacing{Conn: c, preface: []byte("for " + client + "\n"), drip: way == "byte by byte"}
		if way == "before it" {
			c.write(conn.preface)
			conn.preface = nil
		}
		secured := &secured{tls.Client(conn, a.client()), c.TCPConn, t, nil}
		secured.r = bufio.NewReader(secured)
		secured.write([]byte(request("/echo")))
		if w, err := http.ReadResponse(secured.r, nil); err != nil || w.StatusCode != 101 {
			t.Fatalf("%s: got %v, %v", way, w, err)
		}
		secured.write(masked(ws.OpText, []byte("who am I"), true))
		secured.want(ws.OpText, client)
	}
	s.until("nothing is kept of a handshake", func(got Stats) bool { return got.Buffered == 0 && got.HalfOpen == 0 })
}

// prefacing puts a preface in front of the first that is written.
type prefacing struct {
	net.Conn
	preface []byte
	drip    bool // every byte is sent alone
}

func (p *prefacing) Write(b []byte) (int, error) {
	all := append(p.preface, b...)
	p.preface = nil
	step := len(all)
	if p.drip {
		step = 1
	}
	for ; len(all) > 0; all = all[step:] {
		if _, err := p.Conn.Write(all[:step]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Who sends no good header gets a plain answer, though TLS is spoken: it has not
// begun.
func TestTLSWithoutPreface(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := startTLS(t, a, remoteTable, func(c *Config) {
		prefaced(c)
		c.HandshakeTimeout = 500 * time.Millisecond
	})
	c := s.connect()
	c.write(append(clientHello(t, a.client()), '\n'))
	if line := c.answer(); line != "HTTP/1.1 400 Bad Request" {
		t.Errorf("got %q, want 400", line)
	}
	s.until("counted", func(got Stats) bool { return got.Rejected[websocket.RejectProxy] == 1 })
	// Behind a good one it has, and what it takes too long for is that.
	for i, sends := range []string{"for 203.0", "for 203.0.113.7:1\n"} {
		c = s.connect()
		c.write([]byte(sends))
		c.wantEnd()
		if got := s.Stats().Rejected[websocket.RejectTLSTimeout]; got != uint64(i) {
			t.Errorf("%q: %d handshakes of TLS are counted as late, want %d", sends, got, i)
		}
	}
	// Plain HTTP is told so behind one as well.
	c = s.connect()
	c.write([]byte("for 203.0.113.7:1\n" + request("/echo")))
	if line := c.answer(); line != "HTTP/1.1 400 Bad Request" {
		t.Errorf("got %q, want 400", line)
	}
	s.until("counted as such", func(got Stats) bool { return got.Rejected[websocket.RejectTLS] == 1 })
}
