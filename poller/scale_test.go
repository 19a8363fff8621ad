package poller

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

const (
	// full is how many connections the server must hold (limits.md, issue 3).
	full = 19_000
	// perAddress is how many come from one source address: well below the
	// number of ports that the kernel gives out for one pair of addresses.
	perAddress = 5000
	// idleCeiling is the most memory that an idle connection may cost: ten
	// times the figure that is promised, as counted on a quiet machine.
	idleCeiling = 960
)

// TestScale holds as many connections as this process can open sockets for,
// up to 19,000, in a server of its own process. All echo once; then they are
// idle but for some that go on; then the server drains and says goodbye to
// every one of them. ECHOGATE_TEST_FULL=required fails on a machine whose
// descriptor limit is too low for all.
func TestScale(t *testing.T) {
	n := min(full, descriptors()-200)
	if n < full && os.Getenv("ECHOGATE_TEST_FULL") == "required" {
		t.Fatalf("the descriptor limit allows %d connections, want %d", n, full)
	}
	if raceBuild {
		// The detector makes the client too slow to be worth it, and what it
		// looks for, two goroutines at one thing, shows with a few.
		n = min(n, 2000)
	}
	// The server sends away and waits for so many at its own pace. A client that
	// others keep from the processor is late, and must not be found idle, be sent
	// a ping, or be cut for that.
	p := startProcess(t, settings{"HandshakeTimeout": time.Hour, "Limits": settings{
		"PingInterval": time.Hour, "IdleTimeout": 2 * time.Hour, "CloseTimeout": time.Hour,
	}})
	some := n / 10
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	open := func(upTo int) {
		t.Helper()
		conns = append(conns, openMany(t, p.addr, len(conns), upTo)...)
	}
	open(some)
	first := p.tell("stats")
	open(n)
	second := p.tell("stats")
	if got := second.Stats; got.Connections != n || got.Busy != 0 || got.Buffered != 0 || got.Entries != n {
		t.Errorf("held: %+v, want %d idle connections with an entry each", got, n)
	}
	slope := (second.Resident - first.Resident) / (n - some)
	t.Logf("%d connections, %d bytes of memory for each idle one", n, slope)
	if slope > idleCeiling && !raceBuild {
		t.Errorf("an idle connection costs %d bytes of memory, want at most %d", slope, idleCeiling)
	}
	atOnce(t, len(conns)/100, func(i int) error { return echoOnce(conns[100*i]) })

	for _, conn := range conns { // their time was that for all that came before
		_ = conn.SetDeadline(time.Now().Add(4 * patience))
	}
	p.tell("drain")
	atOnce(t, n, func(i int) error { return sentAway(conns[i]) })
	last := p.tell("wait")
	if last.Err != "" || !isZero(last.Stats) || last.Stats.Accepted != uint64(n) {
		t.Errorf("drained: error %q, %+v, want %d accepted and nothing left", last.Err, last.Stats, n)
	}
	if got := last.Stats.Closed[websocket.CauseGoingAway]; got != uint64(n) {
		t.Errorf("%d of %d connections were sent away: %v", got, n, last.Stats.Closed)
	}
}

// atOnce runs f for every i below n, some at a time, and reports the first error.
func atOnce(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	const workers = 64
	var group sync.WaitGroup
	failed := make(chan error, workers)
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				if err := f(i); err != nil {
					failed <- fmt.Errorf("connection %d of %d: %w", i, n, err)
					return
				}
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Fatal(err)
	}
}

// openMany opens WebSocket connections number from to upTo, from several
// addresses, and has each echo once.
func openMany(t *testing.T, addr string, from, upTo int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, upTo-from)
	good := []byte("HTTP/1.1 101 ")
	atOnce(t, len(conns), func(i int) error {
		source := net.IPv4(127, 0, 0, byte(2+(from+i)/perAddress))
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: source}}
		conn, err := d.Dial("tcp", addr)
		if err != nil {
			return err
		}
		conns[i] = conn
		_ = conn.SetDeadline(time.Now().Add(4 * patience))
		if _, err = conn.Write([]byte(request("/echo"))); err != nil {
			return err
		}
		var head [129]byte // the 101 as RFC 6455 wants it
		if _, err = io.ReadFull(conn, head[:]); err != nil {
			return err
		}
		if string(head[:len(good)]) != string(good) || string(head[len(head)-4:]) != "\r\n\r\n" {
			return fmt.Errorf("got %q, want a 101 of %d bytes", head, len(head))
		}
		return echoOnce(conn)
	})
	return conns
}

func echoOnce(conn net.Conn) error {
	if _, err := conn.Write(masked(ws.OpText, []byte("hello"), true)); err != nil {
		return err
	}
	op, p, err := readFrame(conn)
	if err == nil && (op != ws.OpText || string(p) != "hello") {
		err = fmt.Errorf("got opcode %d %q, want the echo", op, p)
	}
	return err
}

// sentAway reads the close frame of a server that goes away, answers it, and
// waits for the end.
func sentAway(conn net.Conn) error {
	op, p, err := readFrame(conn)
	if err != nil {
		return err
	}
	if op != ws.OpClose || len(p) < 2 || binary.BigEndian.Uint16(p) != 1001 {
		return fmt.Errorf("got opcode %d %q, want a close frame with 1001", op, p)
	}
	if _, err := conn.Write(masked(ws.OpClose, closeBody(ws.StatusGoingAway, ""), true)); err != nil {
		return err
	}
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("after the close handshake: got %d bytes, %v, want EOF", n, err)
	}
	return nil
}
