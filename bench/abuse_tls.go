package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// selfSigned has the gateway speak TLS.
const selfSigned = "--tls-self-signed"

// scheme is how a server is spoken to that was started so.
func scheme(command string) string {
	if strings.Contains(command, selfSigned) {
		return "wss"
	}
	return "ws"
}

// anybody is the configuration of a client that takes any certificate; edit may
// be nil.
func anybody(edit func(*tls.Config)) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	if edit != nil {
		edit(c)
	}
	return c
}

// clientHello is what a client begins with.
func clientHello(c *tls.Config) []byte {
	t := new(session)
	if err := tls.Client(t, c).Handshake(); err != errWouldBlock {
		panic("bench: internal error: " + err.Error())
	}
	return t.out
}

// handshake opens a connection and makes the whole handshake of TLS.
func (s *stage) handshake() (*tls.Conn, error) {
	d := &net.Dialer{Timeout: clientPatience}
	return tls.DialWithDialer(d, "tcp", s.server.Address.String(), anybody(nil))
}

// T1: handshakes that do not end: nothing comes, a byte a second of a hello, a
// whole one and then nothing; and a byte a second of the request behind a whole
// handshake, on a few connections.
func halfOpenTLS(ctx context.Context, s *stage) error {
	hello, before, begun := clientHello(anybody(nil)), s.rss(), time.Now()
	peers, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	inside, leave, err := s.handshakes(fewest)
	defer leave()
	if err != nil {
		return err
	}
	opened := time.Now()
	if answered := greet(peers, hello); answered < s.n/3 {
		return fmt.Errorf("%d of %d hellos were answered", answered, s.n/3)
	}
	request := s.request()
	for i := 0; time.Since(begun) < handshakeTimeout*8/10 && ctx.Err() == nil; i++ {
		for k := 1; k < len(peers); k += 3 {
			peers[k].offer(hello[i : i+1])
		}
		for _, c := range inside {
			_, _ = c.Write(request[i : i+1])
		}
		pause(ctx, second)
	}
	early := 0
	for _, p := range peers {
		early += btoi(p.ended())
	}
	s.below("memory of one client", size, (s.rss()-before)/float64(s.n), handshakeMemory)
	s.all("ended before the deadline", early, 0)
	over := opened.Add(handshakeTimeout + second)
	s.all("left 1 s after the deadline", awaitAll(ctx, peers, over, (*peer).ended), 0)
	s.all("left in their request 1 s after it", stillOpen(inside, over), 0)
	return nil
}

// handshakeMemory is what a handshake may have sent, limits.md T1: no client
// costs more.
const handshakeMemory = 64 << 10

// handshakes makes n of them, whole. leave ends the connections.
func (s *stage) handshakes(n int) (all []*tls.Conn, leave func(), err error) {
	leave = func() {
		for _, c := range all {
			c.NetConn().Close()
		}
	}
	for range n {
		c, err := s.handshake()
		if err != nil {
			return all, leave, err
		}
		all = append(all, c)
	}
	return all, leave, nil
}

// greet sends a hello on every third peer, a few at a time so that no queue
// overflows, and returns how many got an answer.
func greet(peers []*peer, hello []byte) (answered int) {
	const step = 3
	for from := 2; from < len(peers); from += step * atATime {
		part := peers[from:min(from+step*atATime, len(peers))]
		for i := 0; i < len(part); i += step {
			part[i].write(hello, soon())
		}
		for i := 0; i < len(part); i += step {
			answered += btoi(part[i].more(soon()))
		}
	}
	return answered
}

// stillOpen is how many have not ended by then.
func stillOpen(all []*tls.Conn, till time.Time) (open int) {
	for _, c := range all {
		_ = c.SetReadDeadline(till)
		_, err := io.Copy(io.Discard, c)
		if t, ok := err.(net.Error); ok && t.Timeout() {
			open++
		}
	}
	return open
}

// T2: hellos, so many a second. Their senders, who do nothing but wait for the
// server's signature, are gone when they have it.
func helloStorm(ctx context.Context, s *stage) error {
	const lasting = 5 * time.Second
	hello := clientHello(anybody(nil))
	w := s.startStorm(ctx, s.n, 0, func(mine *stage) error {
		peers, err := mine.connect(1, dialing{})
		if err != nil {
			return err
		}
		peers[0].write(hello, soon())
		if !peers[0].more(soon()) {
			return fmt.Errorf("a hello was not answered")
		}
		return nil
	})
	pause(ctx, lasting)
	w.stop()
	s.judgeStorm(w, w.wait())
	return nil
}

// stepsWaiting is how many handshakes wait for their turn, limits.md T2.
const stepsWaiting = 1024

// T2: more hellos at once than may wait. Who is not served is cut at once, and
// who comes afterwards is served.
func helloBurst(ctx context.Context, s *stage) error {
	hello := clientHello(anybody(nil))
	peers, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	begun := time.Now()
	for _, p := range peers {
		p.write(hello, soon())
	}
	answered, cutOff := 0, 0
	for _, p := range peers {
		served := p.more(soon())
		answered += btoi(served)
		cutOff += btoi(!served && p.over)
	}
	s.all("answered or cut", answered+cutOff, s.n)
	s.atLeast("answered", number, float64(answered), float64(min(stepsWaiting, s.n)))
	s.note("  in", duration, since(begun))
	later, leave, err := s.handshakes(fewest)
	leave()
	if err != nil {
		return err
	}
	s.all("newcomers served", len(later), fewest)
	return nil
}

// opening is how a client begins that a port of TLS cannot serve, and the beginning
// of what it must answer: an alert, or HTTP for who may be a browser.
type opening struct{ first, answer string }

// openings are those of other protocols, and of TLS that is too old or broken.
func openings() []opening {
	old := clientHello(anybody(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }))
	h2 := clientHello(anybody(func(c *tls.Config) { c.NextProtos = []string{"h2"} }))
	return []opening{
		{"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
		{"\x80\x2e\x01\x03\x01\x00\x15", "HTTP/1.1 400 "},     // SSL 2.0
		{"\x15\x03\x01\x00\x02\x02\x28", "HTTP/1.1 400 "},     // an alert
		{"\x17\x03\x03\x00\x05hello", "HTTP/1.1 400 "},        // data, of no session
		{"\x16\x03\x01\xff\xff", "\x15\x03"},                  // longer than a record may be
		{"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "\x15\x03"},  // a hello with nothing in it
		{"\x16\x03\x01\x00\x05\x01\xff\xff\xff0", "\x15\x03"}, // one of 16 MiB
		{string(old), "\x15\x03"},
		{string(h2), "\x15\x03"},
	}
}

// T3: clients that cannot be spoken to, and records that are not of the session.
func badTLS(ctx context.Context, s *stage) error {
	peers, err := s.connect(s.n, dialing{})
	if err != nil {
		return err
	}
	all, begun := openings(), time.Now()
	for i, p := range peers {
		p.write([]byte(all[i%len(all)].first), soon())
	}
	refused := 0
	for i, p := range peers {
		p.more(soon())
		refused += btoi(strings.HasPrefix(string(p.in), all[i%len(all)].answer))
	}
	s.all("refused, with an alert or 400", refused, s.n)
	s.all("left", awaitAll(ctx, peers, begun.Add(clientPatience), (*peer).ended), 0)
	s.atMost("all closed within", duration, since(begun), length(second))
	return s.badRecords()
}

// badRecords breaks connections whose handshake was good.
func (s *stage) badRecords() error {
	all, leave, err := s.handshakes(fewest)
	defer leave()
	if err != nil {
		return err
	}
	alerted := 0
	for _, c := range all {
		if _, err := io.WriteString(c.NetConn(), "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32)); err != nil {
			return err
		}
		_ = c.SetReadDeadline(soon())
		_, err := c.Read(make([]byte, 1))
		alerted += btoi(err != nil && strings.Contains(err.Error(), "bad record MAC"))
	}
	s.all("bad records answered with an alert", alerted, fewest)
	return nil
}
