package poller

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// pattern is n bytes of text that do not repeat in an obvious way, the same for
// the same seed.
func pattern(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	p := make([]byte, n)
	for i := range p {
		p[i] = ' ' + byte(r.UintN(95))
	}
	return p
}

func TestEcho(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/echo": echoing}, func(c *Config) { c.Limits.MaxMessage = 4 << 20 })
	for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
		c := s.dial("/echo")
		for _, n := range []int{0, 1, 125, 126, 65535, 65536, 600_000, 1 << 20, 4 << 20} {
			p := pattern(n, uint64(n))
			c.send(op, p)
			c.want(op, p)
		}
		c.send(ws.OpClose, closeBody(ws.StatusNormalClosure, "done"))
		c.want(ws.OpClose, closeBody(ws.StatusNormalClosure, "done"))
		c.wantEOF()
	}
	s.wantClosed(websocket.CausePeer, 2)
	if got := s.Stats().Upgrades; got != 2 {
		t.Errorf("got %d upgrades, want 2", got)
	}
}

// A message in fragments of any size comes back whole, and a ping between them
// is answered before.
func TestEchoOfFragments(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/echo": echoing}, func(c *Config) { c.Limits.MaxMessage = 4 << 20 })
	for _, size := range []int{1, 1000, 65536, 700_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := s.in(t).dial("/echo")
			p := pattern(4*size, 7)
			op := ws.OpText
			for i := range 4 {
				c.write(masked(op, p[i*size:(i+1)*size], i == 3))
				op = ws.OpContinuation
				if i < 3 {
					c.send(ws.OpPing, []byte{byte(i)})
					c.want(ws.OpPong, []byte{byte(i)})
				}
			}
			c.want(ws.OpText, p)
			c.Close()
		})
	}
	s.wantClosed(websocket.CauseEOF, 4)
}

// Many frames in one segment are answered in order; so are frames that come
// together with the upgrade request (conformance H2, F9).
func TestPipelined(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/echo": echoing}, nil)
	var all []byte
	all = append(all, request("/echo")...)
	for i := range 200 {
		all = append(all, masked(ws.OpText, fmt.Append(nil, "message ", i), true)...)
	}
	c := s.connect()
	c.write(all)
	c.upgraded()
	for i := range 200 {
		c.wantText(fmt.Sprint("message ", i))
	}
	c.Close()
	s.wantClosed(websocket.CauseEOF, 1)
}

// What is sent without waiting for the answers comes back in order, whatever
// the sizes (conformance 9.7, F9).
func TestStream(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/echo": echoing}, nil)
	c := s.dial("/echo")
	sizes := make([]int, 400)
	for i := range sizes {
		sizes[i] = rand.IntN(3) * rand.IntN(100_000)
	}
	go func() {
		for i, n := range sizes {
			if _, err := c.Write(masked(ws.OpBinary, pattern(n, uint64(i)), true)); err != nil {
				return // the reader will tell
			}
		}
	}()
	for i, n := range sizes {
		c.want(ws.OpBinary, pattern(n, uint64(i)))
	}
	c.Close()
	s.wantClosed(websocket.CauseEOF, 1)
}

// Echo while idle holds nothing: no working state, no buffer (conformance L9).
// The wheel's entry stays: it is a part of the slot.
func TestIdleHoldsNothing(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/echo": echoing}, nil)
	for range 10 {
		c := s.dial("/echo")
		c.echo("hello")
		c.send(ws.OpBinary, pattern(100_000, 1))
		c.want(ws.OpBinary, pattern(100_000, 1))
	}
	s.until("nothing held but entries", func(got Stats) bool {
		return got.Connections == 10 && got.Busy == 0 && got.Buffered == 0 && got.Entries == 10
	})
}
