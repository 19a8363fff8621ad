package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// crowdKind is one kind of client of a soak. A turn of all its clients is taken
// again and again, at a fixed rate that leaves a server of one core time to
// answer: what is looked for is not how much it can do, but what it leaves
// behind.
type crowdKind struct {
	name    string
	clients int           // at a time, or in a turn
	every   time.Duration // a turn
	turn    func(context.Context, *mob)
}

// mob is the clients of one kind. It belongs to one goroutine.
type mob struct {
	stage    *stage // whose server they come to; holds no peer between turns
	n        int
	out      *stream // what those send that read slowly or not at all
	visitors []*visitor
	done     int64
	failed   int64
	first    string // failure
}

// visitor is a client that stays for more than a turn.
type visitor struct {
	*peer
	came time.Time
	rx   uint64 // bytes of a stream that have come back
}

// CrowdCount is what became of the clients of a kind.
type CrowdCount struct {
	Name    string `json:"name"`
	Clients int    `json:"clients"` // at a time, or in a turn
	Done    int64  `json:"done"`    // how often it went as it should
	Failed  int64  `json:"failed"`
	First   string `json:"first,omitempty"` // the first failure
}

// in is how many clients of the kind there are at a scale.
func (k *crowdKind) in(scale float64) int {
	return max(int(math.Round(float64(k.clients)*scale)), 1)
}

// crowdSize is how many connections the crowd has at a time.
func crowdSize(scale float64) (n int) {
	for i := range crowdKinds {
		n += crowdKinds[i].in(scale)
	}
	return n
}

// enterCrowd lets all clients in. They stay until leave is called, which must
// be, or ctx is over.
func enterCrowd(ctx context.Context, st *stage, scale float64) (leave func() []CrowdCount) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	counts := make([]CrowdCount, len(crowdKinds))
	out := newStream(ws.OpBinary, unreadPiece, 1)
	for i := range crowdKinds {
		k := &crowdKinds[i]
		m := &mob{stage: &stage{server: st.server, sockaddr: st.sockaddr, family: st.family}, n: k.in(scale), out: out}
		running.Go(func() {
			m.run(ctx, k)
			counts[i] = CrowdCount{k.name, m.n, m.done, m.failed, m.first}
		})
	}
	return func() []CrowdCount {
		cancel()
		running.Wait()
		return counts
	}
}

// run takes turns until ctx is over, and sends the visitors home.
func (m *mob) run(ctx context.Context, k *crowdKind) {
	every := time.NewTicker(k.every)
	defer every.Stop()
	for ctx.Err() == nil {
		k.turn(ctx, m)
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
	for _, v := range m.visitors {
		cut(v.fd)
	}
}

// fail counts a client that was not served as it should be.
func (m *mob) fail(format string, args ...any) {
	if m.failed++; m.failed == 1 {
		m.first = fmt.Sprintf(format, args...)
	}
}

// came judges a client that has had its turn.
func (m *mob) came(ok bool, wrong string) {
	if ok {
		m.done++
		return
	}
	m.fail("%s", wrong)
}

// connect opens a connection; nil: it failed, which is counted.
func (m *mob) connect(d dialing) *visitor {
	return m.enter(func() ([]*peer, error) { return m.stage.connect(1, d) })
}

// open opens one and upgrades it.
func (m *mob) open(d dialing) *visitor {
	return m.enter(func() ([]*peer, error) { return m.stage.open(1, d) })
}

func (m *mob) enter(open func() ([]*peer, error)) *visitor {
	peers, err := open()
	if err != nil {
		m.stage.leave()
		m.fail("%v", err)
		return nil
	}
	m.stage.peers = m.stage.peers[:0]
	return &visitor{peer: peers[0], came: time.Now()}
}

// briefly lets in, one after the other, the n clients of a turn, which are gone
// at its end.
func (m *mob) briefly(ctx context.Context, open func(dialing) *visitor, play func(*visitor)) {
	for range m.n {
		if ctx.Err() != nil {
			return
		}
		if v := open(dialing{}); v != nil {
			play(v)
			cut(v.fd)
		}
	}
}

// stay lets in who is missing of the n, and gives each its turn. Who has had
// enough is cut.
func (m *mob) stay(ctx context.Context, open func(dialing) *visitor, d dialing, play func(*visitor) (stays bool)) {
	for len(m.visitors) < m.n && ctx.Err() == nil {
		v := open(d)
		if v == nil {
			break // the next turn tries again
		}
		m.visitors = append(m.visitors, v)
	}
	k := 0
	for _, v := range m.visitors {
		if play(v) {
			m.visitors[k] = v
			k++
			continue
		}
		cut(v.fd)
	}
	m.visitors = m.visitors[:k]
}

// Of the stream of those that read slowly or not at all.
const (
	unreadPiece = 4 << 10 // a message
	endless     = 1 << 60
)
