package websocket

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// fakeLoop is a Loop without sockets, with a clock set by hand.
type fakeLoop struct {
	now     time.Duration
	buffers int // handed out and not given back
	works   int // Work values handed out
	remote  netip.AddrPort

	flushed []byte // what left by Flush
	ready   int    // calls of Ready
	ended   []End
	timers  []fakeTimer
	timerID uint32
	jobs    []fakeJob
	busy    bool // Go has no place

	conns map[Handle]*Conn // who answers to PostSend and PostDo
}

type fakeTimer struct {
	id   uint32
	at   time.Duration
	conn *Conn
	f    func(*Conn) error
}

type fakeJob struct {
	conn *Conn
	job  func() func(*Conn) error
}

func (l *fakeLoop) Now() time.Duration { return l.now }

func (l *fakeLoop) Alloc(n int) []byte {
	l.buffers++
	return make([]byte, 0, n)
}

func (l *fakeLoop) Free(b []byte) {
	if b != nil {
		l.buffers--
	}
}

func (l *fakeLoop) Work(*Conn) *Work {
	l.works++
	return new(Work)
}

func (l *fakeLoop) Flush(c *Conn) error {
	l.flushed = append(l.flushed, c.output()...)
	c.Sent()
	return nil
}

func (l *fakeLoop) Ready(*Conn) { l.ready++ }

func (l *fakeLoop) After(c *Conn, d time.Duration, f func(*Conn) error) Timer {
	l.timerID++
	l.timers = append(l.timers, fakeTimer{l.timerID, l.now + d, c, f})
	return NewTimer(l, l.timerID, 1)
}

func (l *fakeLoop) StopTimer(t Timer) bool {
	n := len(l.timers)
	l.timers = slices.DeleteFunc(l.timers, func(f fakeTimer) bool { return f.id == t.ID })
	return len(l.timers) < n
}

var errBusy = errors.New("fake: no place for a job")

func (l *fakeLoop) Go(c *Conn, job func() func(*Conn) error) error {
	if l.busy {
		return errBusy
	}
	l.jobs = append(l.jobs, fakeJob{c, job})
	return nil
}

func (l *fakeLoop) End(_ *Conn, how End)          { l.ended = append(l.ended, how) }
func (l *fakeLoop) Remote(*Conn) netip.AddrPort   { return l.remote }
func (l *fakeLoop) Handle(c *Conn) Handle         { return NewHandle(l, int32(c.id), 1) }
func (l *fakeLoop) lookup(h Handle) (*Conn, bool) { c, ok := l.conns[h]; return c, ok }

func (l *fakeLoop) PostSend(h Handle, op ws.OpCode, p []byte) error {
	c, ok := l.lookup(h)
	if !ok {
		return ErrGone
	}
	p = slices.Clone(p)
	l.call(c, func(c *Conn) error { return c.Send(op, p) })
	return nil
}

func (l *fakeLoop) PostDo(h Handle, f func(*Conn) error) error {
	c, ok := l.lookup(h)
	if !ok {
		return ErrGone
	}
	l.call(c, f)
	return nil
}

// call runs f on c as an event of its own; what it sends goes to flushed.
func (l *fakeLoop) call(c *Conn, f func(*Conn) error) error {
	out, err := c.Call(f)
	l.flushed = append(l.flushed, out...)
	c.Sent()
	return err
}

// advance sets the clock d forward and runs the timers that are due, in order.
func (l *fakeLoop) advance(d time.Duration) {
	end := l.now + d
	for {
		slices.SortStableFunc(l.timers, func(a, b fakeTimer) int { return int(a.at - b.at) })
		if len(l.timers) == 0 || l.timers[0].at > end {
			l.now = end
			return
		}
		t := l.timers[0]
		l.timers = l.timers[1:]
		l.now = t.at
		_ = l.call(t.conn, t.f)
	}
}

// runJobs runs the jobs of Go and their answers.
func (l *fakeLoop) runJobs() {
	for len(l.jobs) > 0 {
		j := l.jobs[0]
		l.jobs = l.jobs[1:]
		answer := j.job()
		j.conn.JobDone()
		if answer != nil {
			_ = l.call(j.conn, answer)
		}
	}
}

// peer is one connection on a fakeLoop. It moves bytes as a mover has to: what
// Receive did not take it gives again in front of the next.
type peer struct {
	*Conn
	loop  *fakeLoop
	state State
	kept  []byte
	out   []byte // all that the client got
	err   error  // what ended the connection
}

func newPeer(t testing.TB, routes *Routes) *peer {
	t.Helper()
	l := &fakeLoop{conns: make(map[Handle]*Conn)}
	p := &peer{Conn: NewConn(l, routes), loop: l}
	p.Bind(1, &p.state, nil)
	l.conns[p.Handle()] = p.Conn
	return p
}

// feed gives the connection more bytes; it reports whether it still lives.
func (p *peer) feed(b []byte) bool {
	for more := true; more && p.err == nil; {
		in := append(slices.Clone(p.kept), b...)
		b = nil
		n, out, err := p.Receive(in)
		p.out = append(p.out, p.loop.flushed...)
		p.out = append(p.out, out...)
		p.loop.flushed, p.err = nil, err
		p.kept = slices.Clone(in[n:])
		p.Sent()
		if w := p.work; w != nil && w.Empty() {
			p.work = nil
		}
		more = p.Stopped() && !p.state.Held()
	}
	return p.err == nil
}

// mustCompile is Compile for tables that are good.
func mustCompile(t testing.TB, table map[string]Route) *Routes {
	t.Helper()
	routes, err := Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	return routes
}
