package websocket

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"
)

// fakeLoop is what the tests inside this package need of a Loop: they look at
// what the protocol holds. What handlers ask for beside it (timers, jobs,
// handles) is package websockettest's, and nil here.
type fakeLoop struct {
	Loop
	now     time.Duration
	buffers int    // handed out and not given back
	works   int    // Work values handed out
	alloced int    // bytes asked for in all
	largest int    // bytes of the largest buffer asked for
	flushed []byte // what left by Flush
	ended   []End
	leaves  bool // what is given back as it is
	found   int  // index of the route that the last request was for
}

func (l *fakeLoop) Now() time.Duration { return l.now }

func (l *fakeLoop) Alloc(n int) []byte {
	l.buffers++
	l.alloced += n
	l.largest = max(l.largest, n)
	return make([]byte, 0, n)
}

func (l *fakeLoop) Free(b []byte) {
	if b != nil {
		l.buffers--
	}
	for b = b[:cap(b)]; len(b) > 0 && !l.leaves; {
		b = b[copy(b, spoilt):] // who looks at it now would see another connection's bytes
	}
}

// spoilt is what memory that was given back is overwritten with.
var spoilt = bytes.Repeat([]byte{0xee}, 64<<10)

func (l *fakeLoop) Found(_ *Conn, route int) { l.found = route }

func (l *fakeLoop) Work(*Conn) *Work {
	l.works++
	return new(Work)
}

func (l *fakeLoop) Flush(c *Conn) error {
	l.flushed = append(l.flushed, c.output()...)
	c.Sent()
	return nil
}

func (l *fakeLoop) End(_ *Conn, how End) { l.ended = append(l.ended, how) }

// peer is one connection on a fakeLoop. It moves bytes as a mover has to: what
// Receive did not take it gives again in front of the next.
type peer struct {
	*Conn
	loop     *fakeLoop
	state    State
	room     bool // read into Room where there is some
	kept     []byte
	out      []byte // all that the client got
	err      error  // what ended the connection
	released bool
	counted  Cause // under which it was, once released
}

func newPeer(t testing.TB, routes *Routes) *peer {
	t.Helper()
	l := &fakeLoop{}
	p := &peer{Conn: NewConn(l, routes), loop: l}
	p.deflate = compressors()
	p.Bind(1, &p.state, nil)
	return p
}

// compressors are those of one loop for all peers, which are thousands: to make
// them takes longer than most conversations.
var compressors = sync.OnceValue(func() deflate {
	d := deflate{level: DefaultDeflate().Level, reader: flate.NewReader(nil)}
	for window := windowLeast; window <= windowMost; window++ {
		d.writers[window] = newWriter(window, d.level)
	}
	return d
})

// feed gives the connection more bytes; it reports whether it still lives.
func (p *peer) feed(b []byte) bool {
	var head []byte
	for more := true; more && p.err == nil; {
		if p.room && len(p.kept) == 0 {
			if head, b = p.fill(b); p.err != nil {
				break
			}
		}
		in := append(slices.Clone(p.kept), b...)
		b = nil
		n, out, err := p.Receive(in)
		p.out = append(p.out, p.loop.flushed...)
		p.out = append(append(p.out, head...), out...)
		p.loop.flushed, head, p.err = nil, nil, err
		p.kept = slices.Clone(in[n:])
		if err == nil && len(p.kept) > tailMax && !p.Stopped() {
			panic(fmt.Sprintf("the mover has to keep %d bytes", len(p.kept)))
		}
		p.rest()
		more = p.Stopped() && !p.state.Held() || len(b) > 0
	}
	return p.err == nil
}

// fill reads into a large frame's memory what fits there. What it returns is
// good until the next Sent.
func (p *peer) fill(b []byte) (head, rest []byte) {
	room, _ := p.Room()
	if len(room) == 0 || len(b) == 0 {
		return nil, b
	}
	n := copy(room, b)
	head, p.err = p.Filled(n)
	if p.err != nil {
		p.out = append(append(p.out, head...), p.Output()...)
		p.rest()
	}
	return head, b[n:]
}

// rest ends an event, as a mover does once it has sent what came of it. The
// working state goes when nothing is kept: what comes next finds what is in it.
func (p *peer) rest() {
	p.Sent()
	if w := p.work; w != nil && w.Empty() && (len(p.kept) == 0 || p.err != nil) {
		p.work = nil
	}
}

// call runs f on the connection outside a read.
func (p *peer) call(f func(c *Conn) error) {
	out, err := p.Call(f)
	p.out, p.err = append(p.out, out...), err
	p.rest()
}

// end releases the connection, as its mover does once the transport has ended.
func (p *peer) end(t testing.TB, why CloseError) {
	t.Helper()
	p.released = true
	var err error
	if p.counted, err = p.Release(why); err != nil {
		t.Error(err)
	}
	if p.loop.buffers != 0 || p.work != nil && !p.work.Empty() || p.state.side != 0 {
		t.Errorf("released, it holds %d buffers, %+v, side %d", p.loop.buffers, p.work, p.state.side)
	}
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
