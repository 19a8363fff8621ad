package poller

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// limits.md C3 at full size: a broadcast to 1,000 of which 10 do not read. The
// 990 get all of it in order, and who sends never waits: it is told of the ten.
func TestBroadcast(t *testing.T) {
	t.Parallel()
	const all, stalled, rounds, size = 1000, 10, 40, 4 << 10
	var mu sync.Mutex
	var handles []websocket.Handle
	push := narrow
	push.Open = func(c *websocket.Conn) error {
		mu.Lock()
		defer mu.Unlock()
		handles = append(handles, c.Handle())
		return narrow.Open(c)
	}
	s := start(t, map[string]websocket.Route{"/": push}, func(c *Config) { c.Limits.StallTimeout = -1 })
	var clients []*client
	for range stalled {
		clients = append(clients, s.dialNarrow("/"))
	}
	for range all - stalled {
		clients = append(clients, s.dial("/"))
	}
	s.until("all open", func(Stats) bool { mu.Lock(); defer mu.Unlock(); return len(handles) == all })
	told := 0
	for i := range uint64(rounds) {
		p := pattern(size, i)
		for _, h := range handles {
			if err := h.Send(ws.OpBinary, p); errors.Is(err, websocket.ErrBacklog) {
				told++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		atOnce(t, all-stalled, func(k int) error {
			op, got, err := clients[stalled+k].read()
			if err == nil && (op != ws.OpBinary || string(got) != string(p)) {
				err = errors.New("got another message than was sent")
			}
			return err
		})
	}
	got := s.Stats()
	if told == 0 || got.Paused != stalled {
		t.Errorf("told %d times of a full backlog, %d paused, want it told and %d", told, got.Paused, stalled)
	}
	// Each holds the high-water mark, the message that went over it, and what
	// growing in powers of two leaves over.
	if most := 10 * stalled * (64<<10 + size); got.Buffered > most {
		t.Errorf("got %d bytes in buffers, want at most %d", got.Buffered, most)
	}
	if sent := uint64(all*rounds) - uint64(told) - got.SendsRefused; sent < uint64((all-stalled)*rounds) {
		t.Errorf("got %d sends, want at least those to the %d that read", sent, all-stalled)
	}
	leave(clients)
	s.until("all gone", func(got Stats) bool { return isZero(got) })
}

// limits.md C5: what bursts of unfinished messages and of unread echoes took is
// given back: within 16 MiB, once the collector has been there.
func TestBurstsLeaveNothing(t *testing.T) {
	t.Parallel()
	const most = 16 << 20
	p := startProcess(t, settings{"MaxBuffered": 64 << 20})
	before := p.tell("stats").Resident
	part := append(raw(0x82, 1<<20), make([]byte, 1<<20-1)...)
	for _, c := range p.dial(50, "/echo") {
		c.write(part)
	}
	p.until("50 MiB held", func(s *Stats) bool { return s.Buffered > 48<<20 })
	if grown := p.tell("stats").Resident - before; grown < 40<<20 && !raceBuild {
		t.Errorf("grew by %d bytes with 50 MiB held: not measured", grown)
	}
	leave(p.came)
	p.until("nobody left", func(s *Stats) bool { return isZero(*s) })
	playUnread(p, 20)
	leave(p.came)
	p.until("nobody left", func(s *Stats) bool { return isZero(*s) })
	eventually(t, "memory given back", func() bool { return p.tell("stats").Resident-before < most })
}

// playSlowMessage: a message that drips in, in three ways, and goes on to while
// its time passes: no byte extends it.
func playSlowMessage(p *process, n int) {
	clients := p.dial(n, "/echo")
	begun := [][]byte{
		append(raw(0x82, 1<<17), 'x'),
		masked(ws.OpBinary, make([]byte, 1<<15), true)[:9],
		join(masked(ws.OpBinary, []byte("x"), false), masked(ws.OpContinuation, make([]byte, 1<<15), true)[:9]),
	}
	for i, c := range clients {
		c.write(begun[i%len(begun)])
		_ = c.SetReadDeadline(time.Now().Add(patience / 2))
	}
	var drip sync.WaitGroup
	stop := make(chan struct{})
	defer drip.Wait()
	defer close(stop)
	drip.Go(func() {
		for next := time.NewTicker(50 * ms); ; {
			select {
			case <-stop:
				next.Stop()
				return
			case <-next.C:
			}
			for _, c := range clients {
				_, _ = c.Write([]byte("x")) // fails when its time is over
			}
		}
	})
	p.all(clients, func(_ int, c *client) error { return wantCode(c, 1008) })
}
