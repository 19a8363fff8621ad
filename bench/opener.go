package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// opener opens the connections of a group: some at a time, and so many a
// second.
type opener struct {
	queue  []int32 // connections to open, in this order
	again  []int32 // those that failed: not before the next tick
	flying int     // connects and upgrades that are under way
	most   int     // of them
	ramp   float64 // connects a second; 0: no limit

	from    int64 // when the ramp began
	begun   int64 // connects since then, and those that might have been
	opening bool  // open is at work: what fails in it does not call it again
}

// add queues a connection.
func (o *opener) add(id int32) { o.queue = append(o.queue, id) }

// rests reports whether there is nothing to open.
func (o *opener) rests() bool { return len(o.queue)+len(o.again)+o.flying == 0 }

// stop forgets what has not begun.
func (o *opener) stop() { o.queue, o.again = nil, nil }

// tick gives back those that failed.
func (o *opener) tick() {
	o.queue = append(o.queue, o.again...)
	o.again = o.again[:0]
}

// due is how many connects the ramp allows now. What was not used is lost but
// for a tenth of a second's worth: it is a rate, not an average.
func (o *opener) due(now int64) int64 {
	if o.ramp == 0 {
		return 1 << 62
	}
	if o.from == 0 {
		o.from = now
	}
	due := 1 + int64(float64(now-o.from)*o.ramp/float64(time.Second)) - o.begun
	if most := 1 + int64(o.ramp/10); due > most {
		o.begun += due - most
		return most
	}
	return due
}

// open begins as many connects as there may be.
func (l *loop) open(g *group) {
	o := &g.opener
	if o.opening || len(o.queue) == 0 {
		return
	}
	o.opening = true
	defer func() { o.opening = false }()
	due := o.due(l.now)
	for ; due > 0 && len(o.queue) > 0 && o.flying < o.most; due-- {
		id := o.queue[0]
		if o.queue = o.queue[1:]; len(o.queue) == 0 {
			o.queue = nil
		}
		o.begun++
		o.flying++
		l.connect(&l.conns[id], g)
	}
}

// connect begins a connection.
func (l *loop) connect(c *conn, g *group) {
	number := int(c.id)*l.share.Of + l.share.Index // of all connections of the run
	to := &l.targets[number%len(l.targets)]
	var from unix.Sockaddr
	if len(l.sources) > 0 {
		from = l.sources[number/len(l.targets)%len(l.sources)]
	}
	*c = conn{id: c.id, fd: -1, group: c.group, state: stateConnecting, try: c.try + 1, since: l.clock()}
	fd, err := connect(to.sockaddr, to.family, from, g.buffer)
	if err != nil {
		l.fail(c, to.unreachable(err))
		return
	}
	c.fd = int32(fd)
	for fd >= len(l.byFD) {
		l.byFD = append(l.byFD, make([]int32, max(1024, len(l.byFD)))...)
	}
	l.byFD[fd] = 1 + c.id
	if err := l.poll.AddReadWrite(&netpoll.PollAttachment{FD: fd}, true); err != nil {
		l.fail(c, &failure{KindResource, err.Error()})
	}
}

// targetOf is where a connection leads to.
func (l *loop) targetOf(c *conn) *target {
	return &l.targets[(int(c.id)*l.share.Of+l.share.Index)%len(l.targets)]
}

// connected looks what became of a connect. The event may be a late one of the
// descriptor's former owner: then the send finds the socket not ready.
func (l *loop) connected(c *conn) {
	to := l.targetOf(c)
	if errno := socketError(int(c.fd)); errno != 0 {
		l.fail(c, to.unreachable(errno))
		return
	}
	if to.tls != nil {
		l.secure(c, to)
		return
	}
	l.head = appendRequest(l.head[:0], to.host, to.path, &l.request, nonce(l.seed, c.id, c.try))
	n, errno := send(int(c.fd), &l.head[0], len(l.head))
	switch {
	case errno == unix.EAGAIN || errno == unix.ENOTCONN:
		return
	case errno != 0:
		l.fail(c, to.unreachable(errno))
	case n < len(l.head):
		l.fail(c, &failure{KindIO, "the socket does not take an upgrade request at once"})
	default:
		c.state = stateUpgrading
	}
}

// answered takes what came as answer to the upgrade.
func (l *loop) answered(c *conn, p []byte) {
	if c.flags&flagHead != 0 {
		p = append(l.heads[c.id], p...)
		delete(l.heads, c.id)
		c.flags &^= flagHead
	}
	head, rest, whole := bytes.Cut(p, []byte("\r\n\r\n"))
	if !whole {
		if len(p) > maxHead {
			l.fail(c, &failure{KindUpgrade, fmt.Sprintf("upgrade answered with a head above %d bytes", maxHead)})
			return
		}
		l.heads[c.id] = bytes.Clone(p)
		c.flags |= flagHead
		return
	}
	if err := checkAnswer(head, &l.request, nonce(l.seed, c.id, c.try)); err != nil {
		l.fail(c, &failure{KindUpgrade, err.Error()})
		return
	}
	g := l.groups[c.group]
	c.state = g.state()
	l.alive++
	l.rec.Connected(1)
	l.rec.Upgrades++
	g.opener.flying--
	g.opened(l, c)
	l.open(g)
	if len(rest) > 0 && c.open() {
		l.received(c, rest)
	}
}

// fail ends a connection that did not get so far as to be open.
func (l *loop) fail(c *conn, f *failure) {
	l.rec.Error(f.kind)
	l.remarks.add(f)
	g := l.groups[c.group]
	g.opener.flying--
	l.release(c, cut)
	g.ended(l, c, endFailed)
	l.open(g)
}

// lose ends an open connection that nobody asked to end.
func (l *loop) lose(c *conn, f *failure) {
	l.remarks.add(f)
	l.rec.Lose(int(c.id), f.kind, time.Now())
	l.release(c, cut)
	l.groups[c.group].ended(l, c, endLost)
}

// ended ends a connection that the server has ended because we asked for it.
func (l *loop) ended(c *conn) {
	l.release(c, closeSocket)
	l.groups[c.group].ended(l, c, endClosed)
}

// release gives back what a connection has. The number of its descriptor may
// belong to another one afterwards. end closes it.
func (l *loop) release(c *conn, end func(fd int)) {
	if c.state >= stateOpen {
		l.alive--
		l.rec.Connected(-1)
	}
	if c.fd >= 0 {
		l.byFD[c.fd] = 0
		end(int(c.fd))
	}
	if c.flags&flagTLS != 0 {
		l.unsecure(c)
	}
	if c.flags != 0 {
		delete(l.parsers, c.id)
		delete(l.sides, c.id)
		delete(l.heads, c.id)
	}
	c.fd, c.state, c.flags = -1, stateNone, 0
}
