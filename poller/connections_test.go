package poller

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// listed is the one connection that a server has.
func (s *running) listed(what string, cond func(Connection) bool) (c Connection) {
	s.t.Helper()
	eventually(s.t, what, func() bool {
		list, missing := s.Connections(10)
		if len(missing) > 0 || len(list) != 1 {
			return false
		}
		c = list[0]
		return cond(c)
	})
	return c
}

// A connection is listed as what it is in every part of its life.
func TestConnections(t *testing.T) {
	t.Parallel()
	handles := make(chan websocket.Handle, 1)
	flood := make([]byte, 1<<20)
	s := start(t, map[string]websocket.Route{"/talk/{to}": {
		Open: narrow.Open,
		Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
			switch string(p) {
			case "flood":
				return c.Send(ws.OpBinary, flood)
			case "hold":
				handles <- c.Handle()
				c.Pause()
			case "close":
				return c.Close(4000, "")
			}
			return c.Send(op, p)
		},
	}}, func(c *Config) { c.Loops, c.Limits.CloseTimeout = 1, time.Hour })
	if list, missing := s.Connections(10); list != nil || missing != nil {
		t.Errorf("got %v, missing %v of an empty server", list, missing)
	}
	c := s.connect()
	first := s.listed("a handshake", func(c Connection) bool { return c.State == StateHandshake && c.Route == "" })
	if first.Remote.String() != c.LocalAddr().String() {
		t.Errorf("got the address %v, want %v", first.Remote, c.LocalAddr())
	}
	c.Close()
	c = s.dialNarrow("/talk/me")
	open := s.listed("an open one", func(c Connection) bool {
		return c.State == StateOpen && c.Messages == 0 && c.Idle == c.Age
	})
	if open.Route != "/talk/{to}" || open.Loop != 0 || open.Backlog != 0 || open.Handle == first.Handle {
		t.Errorf("got %+v", open)
	}
	c.echo("x")
	c.text("flood")
	s.listed("a paused one", func(c Connection) bool { return c.State == StatePaused && c.Backlog > 0 && !c.Held })
	c.want(ws.OpBinary, flood)
	c.text("hold")
	c.wantText("hold")
	s.listed("a held one", func(c Connection) bool { return c.Held && c.State == StateOpen && c.Messages == 3 })
	if err := receive(t, handles).Do(func(c *websocket.Conn) error { c.Resume(); return nil }); err != nil {
		t.Fatal(err)
	}
	c.text("close")
	c.wantClose(4000)
	s.listed("a closing one", func(c Connection) bool { return c.State == StateClosing && c.Route == "/talk/{to}" })
	c.Close()
}

// The list is bounded by its limit, and dealt out between the loops.
func TestConnectionsLimit(t *testing.T) {
	t.Parallel()
	const n = 3*listedAtOnce + 10
	l := still(t, limited(nil))
	for range n {
		connect(t, l)
	}
	list := func(most int) []Connection {
		turns, replies := 0, 0
		var got []Connection
		g := &gathering{most: most, late: new(atomic.Bool), reply: func(list []Connection) { got = list; replies++ }}
		for l.gather(g); replies == 0; turns++ {
			if err := l.deliver(); err != nil {
				t.Fatal(err)
			}
		}
		if least := min(most, n) / listedAtOnce; turns < least || replies != 1 {
			t.Errorf("%d listed in %d further turns with %d replies, want at least %d turns", len(got), turns, replies, least)
		}
		return got
	}
	all := list(n + 100)
	if len(all) != n || !slices.IsSortedFunc(all, func(a, b Connection) int { return int(a.Handle.FD - b.Handle.FD) }) {
		t.Errorf("listed %d of %d, or not in order", len(all), n)
	}
	if got := list(n - 1); len(got) != n-1 {
		t.Errorf("listed %d, want %d", len(got), n-1)
	}
	late := &gathering{most: n, late: new(atomic.Bool), reply: func([]Connection) {}}
	late.late.Store(true)
	if l.gather(late); len(late.list) != listedAtOnce || len(l.mail.letters) != 0 {
		t.Errorf("a list that nobody waits for goes on: %d, %d letters", len(late.list), len(l.mail.letters))
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		counts []int
		most   int
		want   []int
	}{
		{[]int{5, 5}, 4, []int{2, 2}},
		{[]int{0, 9}, 4, []int{0, 4}},
		{[]int{9, 1, 9}, 8, []int{3, 1, 4}},
		{[]int{2, 1}, 100, []int{2, 1}},
		{[]int{2, 1}, 0, []int{0, 0}},
		{nil, 3, []int{}},
	} {
		if got := share(tt.counts, tt.most); !slices.Equal(got, tt.want) {
			t.Errorf("share(%v, %d) is %v, want %v", tt.counts, tt.most, got, tt.want)
		}
	}
}

// A loop that is blocked does not hold up the list, and is named.
func TestConnectionsOfBlockedLoop(t *testing.T) {
	t.Parallel()
	s := start(t, echoTable, nil)
	s.dial("/echo")
	s.dial("/echo")
	release := s.blockLoop()
	list, missing := s.Connections(10)
	if len(list) != 1 || list[0].Loop != 1 || !slices.Equal(missing, []int{0}) {
		t.Errorf("got %+v, missing %v, want the one of loop 1", list, missing)
	}
	close(release)
	eventually(t, "both", func() bool { list, missing = s.Connections(2); return len(list) == 2 && missing == nil })
	if list, _ = s.Connections(-1); len(list) != 0 {
		t.Errorf("listed %d, want none", len(list))
	}
}
