package main

import (
	"crypto/tls"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// state is where a connection is in its life.
type state uint8

const (
	stateNone       state = iota // no socket
	stateConnecting              // the SYN is under way
	stateSecuring                // the handshake of TLS is under way
	stateUpgrading               // the request was sent
	stateOpen
	stateThrottled // open, and read only when its group says so
	stateClosing   // our close frame was sent; the server ends the rest
)

// Flags of a connection. What they stand for is held aside, in maps, because
// hardly any connection ever has it.
const (
	flagParser     = 1 << iota // a parser reads it: loop.parsers
	flagSide                   // control frames are to be sent: loop.sides
	flagHead                   // part of the answer to the upgrade has come: loop.heads
	flagBroken                 // a send failed: what ends the stream is a reset
	flagSaidClosed             // the server has sent its close frame
	flagTLS                    // it is of TLS: loop.sessions
)

// conn is one connection: 64 bytes, without pointers, so that the collector
// has nothing to do for a million of them.
type conn struct {
	id    int32
	fd    int32 // -1: none
	state state
	group uint8
	flags uint8
	try   uint32 // how often it was begun; with id it gives the key of the handshake

	want uint64 // messages to send in all
	tx   uint64 // bytes of the stream that were sent
	got  uint64 // messages that came back
	rx   uint64 // bytes of the stream that came back

	// since is the time, on the loop's clock, that what it waits for began:
	// the connect, the oldest message without an echo, the close frame.
	since int64
}

func (c *conn) open() bool { return c.state == stateOpen || c.state == stateThrottled }

// readBuffer is what one read takes at most. It belongs to the loop, and only
// the pages that big reads touch become resident.
const readBuffer = 512 << 10

// loop is an event loop with its connections: one goroutine, one process.
type loop struct {
	// What every event needs.
	poll   *netpoll.Poller
	byFD   []int32 // the connection of a descriptor: 1 + its id
	conns  []conn
	stream *stream
	groups []*group
	buf    []byte
	head   []byte // the upgrade request under way
	now    int64  // on the loop's clock, read once for each event
	epoch  time.Time
	rec    *Recorder

	// Immutable.
	share     *share
	targets   []target
	request   request
	sources   []unix.Sockaddr
	seed      uint64
	timeout   int64
	ticker    int // descriptor of the timerfd that ticks
	commands  <-chan command
	reports   chan<- report
	intervals int64 // nanoseconds

	// What few connections have, by id.
	parsers map[int32]*parser
	sides   map[int32][]byte
	heads   map[int32][]byte
	sealing

	progress
	remarks remarks
}

// target is a server.
type target struct {
	sockaddr unix.Sockaddr
	family   int
	tls      *tls.Config // nil: plain
	address  string      // for people
	host     string
	path     string
}

// unreachable is the failure of a connect to it.
func (to *target) unreachable(err error) *failure {
	return &failure{connectKind(err), "connect to " + to.address + ": " + err.Error()}
}

// clock reads the monotonic clock alone: half the price of time.Now.
func (l *loop) clock() int64 { return int64(time.Since(l.epoch)) }

// at is the connection that has the descriptor.
func (l *loop) at(fd int) *conn {
	if fd >= len(l.byFD) || l.byFD[fd] == 0 {
		return nil
	}
	return &l.conns[l.byFD[fd]-1]
}

// over is what an event says beyond readable and writable: what a short read
// leaves is then not nothing but the end.
const over = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// event is netpoll's callback. What nearly all events need, one read and the
// write that follows from it, begins right here.
func (l *loop) event(fd int, ev netpoll.IOEvent, _ netpoll.IOFlags) error {
	c := l.at(fd)
	if c == nil || c.state < stateUpgrading || c.state == stateThrottled {
		return l.special(fd, c, ev)
	}
	if ev&(unix.EPOLLIN|over) == 0 {
		l.pump(c)
		return nil
	}
	for try := c.try; ; {
		n, errno := recv(fd, &l.buf[0], len(l.buf))
		if errno != 0 || n <= 0 {
			l.nothing(c, n, errno)
			return nil
		}
		l.now = l.clock()
		if c.flags&flagTLS != 0 {
			l.unseal(c, l.buf[:n])
		} else {
			l.received(c, l.buf[:n])
		}
		if c.fd < 0 || c.try != try { // it ended in there, and may have begun again
			return nil
		}
		if n < len(l.buf) && ev&over == 0 {
			break
		}
	}
	if ev&unix.EPOLLOUT != 0 {
		l.pump(c)
	}
	return nil
}

// special is an event of what is no open connection: the loop's own
// descriptors, a connect, or a connection whose group says when it is read.
func (l *loop) special(fd int, c *conn, ev netpoll.IOEvent) error {
	switch {
	case fd == l.ticker:
		return l.tick()
	case c == nil: // it ended earlier in this batch, or is a group's timer
		for _, g := range l.groups {
			g.timer(l, fd)
		}
	case c.state == stateConnecting:
		l.connected(c)
	case c.state == stateSecuring:
		l.secured(c)
	case c.state == stateThrottled:
		l.throttled(c, ev)
	}
	return nil
}

// throttled looks for nothing but the end: the group reads.
func (l *loop) throttled(c *conn, ev netpoll.IOEvent) {
	if ev&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		l.nothing(c, 0, socketError(int(c.fd)))
		return
	}
	l.pump(c)
}

// received takes what a read brought.
func (l *loop) received(c *conn, p []byte) {
	if c.state == stateUpgrading {
		l.answered(c, p)
		return
	}
	if c.flags&flagParser == 0 && l.stream.matches(c.rx, p) {
		c.rx += uint64(len(p))
	} else if n := l.stream.repeats(c.rx, p); n > 0 && c.flags&flagParser == 0 {
		c.rx += uint64(n * l.stream.inFrame)
	} else if f := l.parse(c, p); f != nil {
		l.lose(c, f)
		return
	}
	got := c.rx / uint64(l.stream.inFrame)
	k := got - c.got
	if c.rx > c.want*uint64(l.stream.inFrame) {
		l.lose(c, &failure{KindCorrupt, "an echo of what was never sent"})
		return
	}
	c.got = got
	if k > 0 && c.open() {
		l.groups[c.group].echoed(l, c, int64(k))
	}
}

// nothing is a read that brought no bytes.
func (l *loop) nothing(c *conn, n int, errno syscall.Errno) {
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		l.pump(c)
		return
	case c.state == stateUpgrading:
		l.fail(c, &failure{KindUpgrade, "the connection ended before the upgrade was answered"})
	case c.state == stateClosing:
		l.ended(c)
	case errno != 0:
		l.lose(c, &failure{ioKind(errno), errno.Error()})
	case c.flags&flagBroken != 0:
		l.lose(c, &failure{KindReset, "the connection was reset"})
	default:
		l.lose(c, &failure{KindEOF, "the stream ended without a close frame"})
	}
}

// pump sends what the connection has to send, as far as the socket takes it.
// Edge-triggered: when room is free again, an event says so.
func (l *loop) pump(c *conn) {
	if c.flags&flagSide != 0 && !l.pumpSide(c) || !c.open() {
		return
	}
	l.write(c, c.want*uint64(l.stream.outFrame))
}

// write sends the stream up to the byte to, and reports whether all was taken.
func (l *loop) write(c *conn, to uint64) bool {
	if c.flags&flagTLS != 0 {
		return l.seal(c, to)
	}
	for c.tx < to {
		p := l.stream.piece(c.tx, to)
		n, errno := send(int(c.fd), &p[0], len(p))
		if errno != 0 {
			l.unsent(c, errno)
			return false
		}
		c.tx += uint64(n)
		if n < len(p) {
			return false
		}
	}
	return true
}

// unsent notes that a send failed. What the server has sent before is still to
// be read, and may tell why: the read that finds the end reports it.
func (l *loop) unsent(c *conn, errno syscall.Errno) {
	if errno != unix.EAGAIN && errno != unix.EINTR {
		c.flags |= flagBroken
	}
}

// ask sends n messages more on c; since is when they should have been sent.
func (l *loop) ask(c *conn, n, since int64) {
	if c.want == c.got { // else others wait longer
		c.since = since
	}
	c.want += uint64(n)
	l.pump(c)
}
