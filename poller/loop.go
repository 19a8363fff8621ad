package poller

import (
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

const (
	// readBuffer is what one read takes as a rule. The buffer belongs to the loop,
	// and only the pages that big reads touch become resident.
	readBuffer = 512 << 10
	// readStream is what one read takes at most of a connection whose last frame was
	// large. With many of those the data has left the caches before its turn comes:
	// a longer turn costs less for each byte.
	readStream = 896 << 10
	// readHead is what one read takes before the upgrade: no head is longer.
	readHead = 16 << 10
	// readLong is what one read takes at the start of a frame that will probably
	// be long: the rest is read to where it stays.
	readLong = 64 << 10
	// readBacklog is what one read takes of a connection that had a backlog
	// lately, to bound what it can add to it, and of one whose last read brought
	// more than turnMessages, to bound the time that it takes from the others.
	readBacklog  = 64 << 10
	turnMessages = 8192
	// keptMax is the longest input that is kept in front of the next read
	// (websocket.Conn.Receive: an unfinished frame).
	keptMax = 64 << 10
)

// loop is one event loop: a goroutine that owns everything below but the
// mailbox, the counters' copies and what is immutable.
type loop struct {
	// What every event needs comes first: a cache line that is not touched is
	// time not spent.
	tag   uint16 // 1 + its place among the loops: the owner in slots
	tick  uint32 // now, in ticks since the server's start
	table table
	conn  *websocket.Conn
	buf   []byte

	// Immutable.
	srv   *Server
	poll  *netpoll.Poller // waits for interest
	timer int             // descriptor of the timerfd
	wake  int             // descriptor of the eventfd: mail

	// Owned by the loop.
	owner
	interest  interest
	head      []byte // output of the read under way that leaves before Receive's
	vec       vector
	era       uint32 // how often tick has wrapped
	armed     bool   // the timer runs
	chained   bool   // the turn reads a second time
	late      uint32 // the tick before a very late one: expiries wait for one more; 0: none
	wheel     wheel
	due       []ref
	busys     []*busy // by slot.busy; the first is never used
	freeBusy  []uint32
	spare     int // how many of freeBusy, from the first on, nobody needed since the last trim
	timers    []timer
	freeTimer []uint32
	queue     []place // connections that are to be read again
	turns     []place // the part of the queue that has its turn
	pool      pool
	told      int // pool.memory when it was last told to the others
	listeners []*listener
	lobby     []note // connections that have not upgraded, the oldest first; some have since, or have ended
	draining  uint32 // tick at which draining began; 0: not draining
	sweep     int    // next descriptor to be filed again for the drain
	cutting   bool   // all connections were cut: so is who comes after
	sealing   sealing
	stats     counters
	names     []uint16 // numbers of the routes' patterns

	// Shared.
	mail      mailbox
	inquiry   inquiry
	held      atomic.Int64           // bytes of buffers in use, as last told
	count     atomic.Int32           // connections, those handed over to it included
	halfOpen  atomic.Int32           // those of them that have not upgraded
	beat      atomic.Uint32          // the last tick; 0: the loop sleeps
	goroutine atomic.Pointer[string] // number of its goroutine
	oldest    atomic.Uint32          // tick at which the first in the lobby came; 0: nobody is there
}

// place names a connection that something was put off for.
type place struct {
	fd  int
	gen uint32
}

func newLoop(s *Server, i int) (*loop, error) {
	l := &loop{srv: s, table: s.table, tag: uint16(i + 1), tick: s.now(), buf: make([]byte, readStream), busys: make([]*busy, 1), timer: -1, wake: -1}
	l.interest.fd, l.interest.spare = -1, runtime.GOMAXPROCS(0) > s.conf().Loops
	l.wheel.at, l.wheel.last = l.link, l.tick
	l.pool.regions.keep = s.conf().kept()
	l.conn, l.names = websocket.NewConn(l, s.routes), s.name(s.routes)
	l.conn.Inspect(l.inspect)
	if s.access != nil {
		l.conn.Watch(l.framesEnded)
	}
	if err := l.open(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *loop) open() (err error) {
	if l.poll, err = netpoll.OpenPoller(); err != nil {
		return err
	}
	if l.interest.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return err
	}
	if err = l.watch(l.wake, unix.EPOLLIN); err != nil {
		return err
	}
	if err = l.watch(l.timer, unix.EPOLLIN); err != nil {
		return err
	}
	return l.listen()
}

// close gives back the loop's descriptors. Late mail is refused from here on.
// It returns the letters that nobody has read.
func (l *loop) close() []letter {
	unread := l.mail.close()
	l.pool.regions.close()
	if l.poll != nil {
		_ = l.poll.Close()
	}
	for _, fd := range []int{l.timer, l.wake, l.interest.fd} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	return unread
}

// run is the loop's goroutine. It returns when the server has told it to stop
// and nothing is left.
func (l *loop) run() error {
	l.own()
	id := goroutine()
	l.goroutine.Store(&id)
	defer l.leave()
	err := l.poll.Polling(l.awake)
	if err == errors.ErrEngineShutdown {
		return nil
	}
	return err
}

// event is one of the interest list. What the great majority of events need, one
// read and one write, is done right here: each Go frame above a system call costs.
func (l *loop) event(fd int, ev uint32) error {
	s := l.table.at(fd)
	if s == nil || !s.is(l) {
		return l.special(fd)
	}
	if s.busy != 0 || ev != unix.EPOLLIN|unix.EPOLLOUT || s.ws.Held() {
		l.unusual(fd, s, ev)
		return nil
	}
	room, up := l.buf[:readBuffer], s.ws.Upgraded()
	switch {
	case !up:
		room = room[:readHead]
	case s.ws.Long():
		room = room[:readLong]
	}
	n, errno := recv(fd, &room[0], len(room))
	if errno != 0 || n <= 0 {
		l.nothing(fd, s, n, errno)
		return nil
	}
	l.heard(s)
	l.enter(fd)
	l.conn.Bind(uint64(fd), &s.ws, nil)
	used, out, err := l.conn.Receive(room[:n])
	sent := 0
	if len(out) > 0 && s.busy == 0 { // else what Flush has left may have to go first
		sent, errno = send(fd, &out[0], len(out))
	}
	if sent == len(out) && used == n && err == nil && n < len(room) && s.busy == 0 && up && s.ws.Open() {
		l.conn.Sent()
		return nil
	}
	stopped := l.conn.Stopped()
	t := turn{rest: room[used:n], out: out[max(sent, 0):], errno: errno, err: err, up: up, more: n == len(room), whole: stopped}
	if s.busy != 0 {
		l.transmit(fd, s, &t)
	}
	if err == nil && stopped && !s.ws.Held() && len(t.out) == 0 {
		l.conn.Sent()
		if !up {
			l.upgraded(s)
		}
		l.receive(fd, s, t.rest, nil, t.more)
		return nil
	}
	l.settle(fd, s, t)
	return nil
}

// special is an event on what is no connection of this loop: the loop's own
// descriptors, a listener, or a connection that ended earlier in this batch.
func (l *loop) special(fd int) error {
	switch fd {
	case l.timer:
		return l.tock()
	case l.wake:
		return l.woken()
	}
	for _, ln := range l.listeners {
		if ln.fd == fd {
			l.accept(ln)
			return nil
		}
	}
	return nil
}

// unusual is an event of a connection with something unfinished, or one that
// says more than readable.
func (l *loop) unusual(fd int, s *slot, ev uint32) {
	sure := ev&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0
	if ev&unix.EPOLLERR != 0 && s.ws.Held() { // reset: there is nobody to go on for
		l.finish(fd, s, websocket.ErrReset)
		return
	}
	b := l.busyOf(s)
	if b == nil {
		if sure && ev&unix.EPOLLIN == 0 {
			return // writable, with nothing to write
		}
		l.read(fd, s, sure)
		return
	}
	if b.tls != nil && ev == unix.EPOLLIN|unix.EPOLLOUT && b.walks(s) {
		l.walkTLS(fd, s, b)
		return
	}
	if ev&^unix.EPOLLOUT != 0 {
		b.pending = b.pending || !sure
	}
	if len(b.out) > 0 && !l.drainOut(fd, s, b) {
		return
	}
	if ev&^unix.EPOLLOUT != 0 || b.pending || b.whole {
		l.read(fd, s, sure && !b.pending)
	}
}

// read gives the connection one turn: what was kept and one read. sure says
// that an event for it came just now and that a short read empties the socket.
func (l *loop) read(fd int, s *slot, sure bool) {
	b := l.busyOf(s)
	if b == nil && s.ws.Held() {
		b = l.work(fd, s) // it has to know that an edge has passed
	}
	if b != nil {
		switch {
		case b.until != 0 && b.linger > 0:
			l.discard(fd, s, b)
			return
		case b.full || s.ws.Held() || b.fin != finNone:
			b.pending = true
			return
		case b.whole:
			l.again(fd, s, b, sure)
			return
		case b.tls != nil && !b.preface:
			l.readTLS(fd, s, b, sure)
			return
		}
	}
	l.bind(fd, s)
	if b != nil && b.preface {
		l.readPreface(fd, s, b, sure)
		return
	}
	if p, all := l.conn.Room(); p != nil {
		l.readLarge(fd, s, b, p, all, sure)
		return
	}
	kept := l.unkeep(b)
	room := l.buf[:kept+l.limit(s, b, kept)]
	n, errno := recv(fd, &room[kept], len(room)-kept)
	if errno != 0 || n <= 0 {
		l.keep(fd, s, room[:kept])
		l.nothing(fd, s, n, errno)
		return
	}
	l.heard(s)
	before := s.ws.Messages
	l.receive(fd, s, room[:kept+n], nil, !sure || kept+n == len(room))
	if s.is(l) && s.busy != 0 { // else its slot may be another loop's by now
		b = l.busyOf(s)
		b.tiny = b.tiny || s.ws.Messages-before > turnMessages
	}
}

// limit is how much the next read takes behind what is kept. Large frames that
// follow each other are mostly of one length: a read ends where one of them would,
// since the part of a frame that is not whole has to be copied.
func (l *loop) limit(s *slot, b *busy, kept int) int {
	switch {
	case !s.ws.Upgraded():
		return readHead
	case b != nil && (b.progress != 0 || b.tiny):
		return readBacklog
	case s.ws.Long():
		return readLong
	case b != nil && b.work.Stride() > 0:
		most := readStream - keptMax
		return most - most%b.work.Stride() - kept
	}
	return readBuffer - keptMax
}

// readLarge reads into the memory of a large frame and, when that takes all of
// its rest, into the loop's buffer behind it.
func (l *loop) readLarge(fd int, s *slot, b *busy, p []byte, all, sure bool) {
	var behind []byte
	if all {
		behind = l.buf[:l.limit(s, b, 0)]
	}
	n, errno := l.vec.readv(fd, p, behind)
	if errno != 0 || n <= 0 {
		l.nothing(fd, s, n, errno)
		return
	}
	l.heard(s)
	full := n == len(p)+len(behind)
	head, err := l.conn.Filled(min(n, len(p)))
	if err != nil {
		t := turn{head: head, out: l.conn.Output(), err: err, up: true}
		l.transmit(fd, s, &t) // no event would come to send it
		l.settle(fd, s, t)
		return
	}
	l.receive(fd, s, l.buf[:max(n-len(p), 0)], head, !sure || full)
}

// receive has the connection take in, sends what comes of it, and goes on while
// Receive stops for its output only: one that inflates waits for its next turn.
func (l *loop) receive(fd int, s *slot, in, head []byte, more bool) {
	l.head = head
	for up := s.ws.Upgraded(); ; {
		used, out, err := l.conn.Receive(in)
		in = in[used:]
		again := err == nil && l.conn.Stopped() && !s.ws.Held() && !s.ws.Compressed()
		t := turn{rest: in, head: l.head, out: out, err: err, up: up, more: more, whole: l.conn.Stopped()}
		l.head = nil
		l.transmit(fd, s, &t)
		if !again || len(t.head)+len(t.out) > 0 || l.behind(s) {
			l.settle(fd, s, t)
			return
		}
		l.conn.Sent()
	}
}

// nothing is a read that brought no bytes.
func (l *loop) nothing(fd int, s *slot, n int, errno syscall.Errno) {
	switch {
	case n == 0 && errno == 0:
		l.endOfStream(fd, s)
	case errno == unix.EAGAIN:
		if b := l.busyOf(s); b != nil {
			b.pending = false
			l.rest(fd, s)
		}
	case errno == unix.EINTR:
		l.requeue(fd, s)
	default:
		l.finish(fd, s, websocket.ErrReset)
	}
}
