package poller

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// all waits for something of every client at once.
func (p *process) all(clients []*client, f func(i int, c *client) error) {
	p.t.Helper()
	atOnce(p.t, len(clients), func(i int) error { return f(i, clients[i]) })
}

func (p *process) connectAll(n int) (clients []*client) {
	for range n {
		clients = append(clients, p.connect())
	}
	return clients
}

func leave(clients []*client) {
	for _, c := range clients {
		c.reset()
	}
}

// status sends a head and reads the status of the answer; 0: there is none.
func (c *client) status(head []byte) int {
	if _, err := c.Write(head); err != nil {
		return 0
	}
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// playDrip: requests that come byte by byte, and no byte extends the time.
func playDrip(p *process, n int) {
	clients := p.connectAll(n)
	head := []byte("GET /echo HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 4000))
	for begun := time.Now(); p.tell("stats").Stats.Connections > 0; {
		if head = head[1:]; len(head) == 0 || time.Since(begun) > 12*time.Second {
			p.t.Fatal("bytes extend the time")
		}
		for _, c := range clients {
			_, _ = c.Write(head[:1]) // fails when its time is over
		}
	}
	for _, c := range clients {
		c.wantEnd()
	}
}

// wantEnd waits for the end of the stream, be it in order or not.
func (c *client) wantEnd() {
	c.t.Helper()
	for {
		if _, err := c.r.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatal("the connection was kept")
		} else if err != nil {
			return
		}
	}
}

// playEndlessHead: 16 MiB of one header line.
func playEndlessHead(p *process, _ int) {
	c := p.connect()
	sent := make(chan int, 1)
	go func() {
		n, _ := c.Write(append([]byte("GET / HTTP/1.1\r\nX: "), bytes.Repeat([]byte("x"), 16<<20)...))
		sent <- n
	}()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil || r.StatusCode != 431 {
		p.t.Fatalf("got %v, %v, want 431", r, err)
	}
	c.wantEnd()
	if n := receive(p.t, sent); n > 12<<20 {
		p.t.Errorf("%d bytes were taken", n)
	}
}

// playRefused: each of the malformed heads of a row, again and again.
func playRefused(row string) func(*process, int) {
	return func(p *process, n int) {
		done := 0
		for done < n {
			for _, x := range refused {
				if !strings.HasPrefix(x.name, row) || done == n {
					continue
				}
				head := x.head
				if row == "A6" {
					head = strings.Replace(head, "\r\n\r\n", "\r\nOrigin: https://elsewhere.example\r\n\r\n", 1)
				}
				c := p.connect()
				if got := c.status([]byte(head)); got != x.status {
					p.t.Errorf("%s: got status %d, want %d", x.name, got, x.status)
				}
				c.wantEOF()
				_ = c.Close()
				done++
			}
		}
	}
}

// playHalfOpen: more silent clients than may be half-open; who comes then is
// served.
func playHalfOpen(p *process, n int) {
	clients := p.connectAll(n - 1)
	p.until("the oldest cut", func(s *Stats) bool { return s.HalfOpen == 200 })
	newcomer := p.dial(1, "/echo")[0]
	newcomer.echo("served")
	for _, c := range clients[:200] {
		c.wantEnd()
	}
	leave(clients)
}

// cutForRoom is how many were cut. For the newcomer none has to be, if it upgrades
// before the loop that has the oldest gets to it.
func cutForRoom(s *Stats) uint64 {
	if n := s.Refused[RefusedHalfOpen]; n != 399 {
		return n
	}
	return 400
}

// playDeclared: headers that declare a MiB which never comes; too much, 2^62 and
// the top bit.
func playDeclared(p *process, n int) {
	clients := p.dial(n, "/echo")
	for _, c := range clients {
		c.write(raw(0x82, 1<<20))
	}
	for _, x := range []struct {
		length uint64
		code   ws.StatusCode
	}{{1<<20 + 1, 1009}, {1 << 62, 1009}, {1 << 63, 1002}} {
		liar := p.dial(1, "/echo")[0]
		liar.write(raw(0x82, x.length))
		liar.wantClose(x.code)
		liar.wantEOF()
		_ = liar.Close()
	}
	leave(clients)
}

// playEndlessMessage: fragments until the server has had enough.
func playEndlessMessage(p *process, n int) {
	fragment := make([]byte, 16<<10)
	p.all(p.dial(n, "/echo"), func(_ int, c *client) error {
		for op, err := ws.OpBinary, error(nil); err == nil; op = ws.OpContinuation {
			_, err = c.Write(masked(op, fragment, false))
		}
		return wantCode(c, 1009)
	})
}

// wantCode is wantClose for goroutines: a close frame, then the end.
func wantCode(c *client, code ws.StatusCode) error {
	for {
		op, payload, err := c.read()
		if err != nil {
			return err
		}
		if op == ws.OpClose && bytes.HasPrefix(payload, closeBody(code, "")) {
			return c.Close()
		}
		if op == ws.OpClose {
			return errors.New("close frame " + string(payload))
		}
	}
}

// playFragments: as many empty fragments as may be, and one more.
func playFragments(p *process, n int) {
	p.all(p.dial(n, "/echo"), func(_ int, c *client) error {
		if _, err := c.Write(join(masked(ws.OpText, nil, false), many(10_000, masked(ws.OpContinuation, nil, false)))); err != nil {
			return err
		}
		return wantCode(c, 1008)
	})
}

// playFailures: each of the frames of a row that end a connection.
func playFailures(row string) func(*process, int) {
	return func(p *process, n int) {
		done := 0
		for done < n {
			for _, x := range failures {
				if !strings.HasPrefix(x.name, row) || done == n {
					continue
				}
				c := p.dial(1, "/echo")[0]
				c.write(x.in)
				c.wantClose(x.code)
				c.wantEOF()
				_ = c.Close()
				done++
			}
		}
	}
}

// playPings: more pings than the budget has.
func playPings(p *process, n int) {
	p.all(p.dial(n, "/echo"), func(_ int, c *client) error {
		if _, err := c.Write(many(250, masked(ws.OpPing, nil, true))); err != nil {
			return err
		}
		return wantCode(c, 1008)
	})
}

// playUnreadPongs: pings without end whose pongs nobody reads.
func playUnreadPongs(p *process, _ int) {
	c := connectTo(p.t, p.addr, 4<<10).upgrade("/narrow")
	_ = c.SetWriteBuffer(64 << 10)
	flood := many(800_000, masked(ws.OpPing, make([]byte, 125), true)) // 100 MiB
	if n := c.stuff(flood); n == len(flood) {
		p.t.Error("all of them were taken")
	}
	c.reset()
}

// playUnread: clients that send and read nothing are no longer read, and others
// are not touched.
func playUnread(p *process, n int) {
	flood := many(2500, masked(ws.OpBinary, make([]byte, 4096), true)) // 10 MiB
	var clients []*client
	for range n {
		c := connectTo(p.t, p.addr, 4<<10).upgrade("/narrow")
		_ = c.SetWriteBuffer(64 << 10)
		clients = append(clients, c)
	}
	taken := make([]int, n)
	eventually(p.t, "all paused", func() bool { // who is late to take more has not paused
		p.all(clients, func(i int, c *client) error {
			if taken[i] += c.stuff(flood[taken[i]:]); taken[i] == len(flood) {
				return errors.New("all that who reads nothing sent was taken")
			}
			return nil
		})
		return p.tell("stats").Stats.Paused == n
	})
	p.dial(1, "/echo")[0].echo("bystander")
	leave(clients)
}

// playStall: the same, until they are cut.
func playStall(p *process, n int) {
	flood := many(250, masked(ws.OpBinary, make([]byte, 4096), true))
	var clients []*client
	for range n {
		c := connectTo(p.t, p.addr, 4<<10).upgrade("/narrow")
		_ = c.SetWriteBuffer(64 << 10)
		c.stuff(flood)
		clients = append(clients, c)
	}
	p.until("all cut", func(s *Stats) bool { return s.Connections == 0 })
	for _, c := range clients {
		c.wantReset()
	}
}

// playUnfinished: a message of a MiB less a byte on each connection. Who was not
// ended holds it still; a bystander echoes.
func playUnfinished(p *process, n int) {
	part := append(raw(0x82, 1<<20), make([]byte, 1<<20-1)...)
	bystander := p.dial(1, "/echo")[0]
	clients := p.dial(n, "/echo")
	for _, c := range clients {
		c.write(part)
		bystander.echo("still there")
	}
	p.until("as many ended as do not fit", func(s *Stats) bool { return s.Buffered <= 5<<20 })
	leave(clients)
}

// playSilence: clients that answer no ping.
func playSilence(p *process, n int) {
	p.all(p.dial(n, "/echo"), func(_ int, c *client) error { return wantCode(c, 1008) })
}

// playLifetime: clients that live for ever, if they are let.
func playLifetime(p *process, n int) {
	p.all(p.dial(n, "/echo"), func(_ int, c *client) error {
		if op, payload, err := c.read(); err != nil || op != ws.OpClose || !bytes.HasPrefix(payload, closeBody(1001, "")) {
			return errors.Join(err, errors.New("no close frame 1001"))
		}
		_, err := c.Write(masked(ws.OpClose, closeBody(1001, ""), true))
		return errors.Join(err, c.CloseWrite())
	})
}

// playUnansweredClose: clients that do not answer the close frame.
func playUnansweredClose(p *process, n int) {
	clients := p.dial(n, "/echo")
	for _, c := range clients {
		c.wantClose(1001)
	}
	for _, c := range clients {
		c.wantReset()
	}
}

// playFloodOn: clients that break the protocol and go on sending.
func playFloodOn(p *process, n int) {
	junk := make([]byte, 16<<10)
	p.all(p.dial(n, "/echo"), func(_ int, c *client) error {
		_, err := c.Write([]byte("\x81\x01x")) // not masked
		for i := 0; err == nil && i < 4; i++ {
			_, err = c.Write(junk)
		}
		return wantCode(c, 1002)
	})
}

// playEnds: half of the clients end their side, half are reset.
func playEnds(p *process, n int) {
	for i, c := range p.dial(n, "/echo") {
		if i%2 == 1 {
			c.reset()
			continue
		}
		c.text("the last one")
		_ = c.CloseWrite()
		c.wantText("the last one")
		c.wantEOF()
	}
	p.until("all gone", func(s *Stats) bool { return s.Connections == 0 })
}

// playCrowd: half more clients than places.
func playCrowd(p *process, n int) {
	places := 2 * n / 3
	served := p.dial(places, "/echo")
	for range n - places {
		if got := p.connect().status([]byte(request("/echo"))); got != 503 {
			p.t.Errorf("got status %d above the cap, want 503", got)
		}
	}
	for _, c := range served {
		c.echo("unaffected")
	}
}

// playOneAddress: twice as many clients of an address as it may have.
func playOneAddress(p *process, n int) {
	p.dial(n/2, "/echo")
	for range n / 2 {
		if got := p.connect().status([]byte(request("/echo"))); got != 429 {
			p.t.Errorf("got status %d above the cap of the address, want 429", got)
		}
	}
}

// playStorm: more clients at once than are accepted at once. All are served.
func playStorm(p *process, n int) {
	clients := p.connectAll(n)
	for _, c := range clients {
		c.upgrade("/echo")
	}
}

// playPanics: a thousand panics among a thousand clients that echo.
func playPanics(p *process, n int) {
	bystanders := p.dial(n, "/echo")
	for i, c := range p.dial(n, "/panic") {
		c.text("now")
		c.wantClose(1011)
		c.wantEOF()
		_ = c.Close()
		bystanders[i].echo("unaffected")
	}
	for _, c := range bystanders {
		c.echo("nobody lost")
	}
}
