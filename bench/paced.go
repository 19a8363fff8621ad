package main

import (
	"fmt"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// pacedLoop sends messages when they are due, whatever the server does: an open
// loop. Latency counts from the time that a message was due, so that a server
// which stops for a second is charged with all that was to be sent in it.
//
// Message number n of the loop is due n periods after the begin and goes to
// connection n modulo their number: when a connection's message was due can be
// computed, and is not kept.
type pacedLoop struct {
	nothing
	*group
	period float64 // nanoseconds between two messages
	offset float64 // part of a period by which other processes come before

	fd    int     // descriptor of the timerfd
	start int64   // when message 0 is due
	stop  int64   // when no more is
	next  int64   // number of the message that is due next
	turns []int32 // the connections, in the order of their turns
	turn  []int32 // the reverse, by id - first
}

const (
	// lateTime is how much later than due a message may leave and not be
	// called late. What waits because the socket is full is not late: that is
	// the server's doing.
	lateTime = int64(time.Millisecond)
	// paceGap is the least time between two looks at what is due: messages
	// that are due within it leave together. A system call each is saved.
	paceGap = int64(50 * time.Microsecond)
	// paceBatch bounds what is sent before echoes are read again.
	paceBatch = 64
)

func newPacedLoop(l *loop, g *group) (*pacedLoop, error) {
	s := l.share
	b := &pacedLoop{group: g, period: float64(time.Second) / s.Rate, offset: float64(s.Index) / float64(s.Of)}
	var err error
	if b.fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	if err := l.poll.AddRead(&netpoll.PollAttachment{FD: b.fd}, true); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *pacedLoop) begin(l *loop) {
	b.turn = make([]int32, b.count)
	b.each(l, func(c *conn) {
		b.turn[int(c.id)-b.first] = int32(len(b.turns))
		b.turns = append(b.turns, c.id)
	})
	b.start = l.now + int64(b.period*b.offset)
	b.stop = b.start + int64(l.share.Duration)
	b.send(l)
}

// due is when the message of this number is.
func (b *pacedLoop) due(number int64) int64 { return b.start + int64(float64(number)*b.period) }

// send sends what is due.
func (b *pacedLoop) send(l *loop) {
	if len(b.turns) == 0 {
		return
	}
	due := b.due(b.next)
	for sent := 0; due <= l.now && due < b.stop && sent < paceBatch; sent++ {
		if c := &l.conns[b.turns[b.next%int64(len(b.turns))]]; c.open() {
			l.rec.Sent++
			if l.now-due > lateTime {
				l.rec.Late++
			}
			l.ask(c, 1, due)
			l.now = l.clock()
		}
		b.next++
		due = b.due(b.next)
	}
	if due < b.stop {
		b.arm(max(due-l.now, paceGap))
	}
}

// arm sets the timer.
func (b *pacedLoop) arm(after int64) {
	_ = unix.TimerfdSettime(b.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(after)}, nil)
}

// timer is edge-triggered: setting it again makes the next edge, and it need
// not be read.
func (b *pacedLoop) timer(l *loop, fd int) {
	if fd == b.fd && l.phase == phaseMeasure {
		l.now = l.clock()
		b.send(l)
	}
}

func (b *pacedLoop) echoed(l *loop, c *conn, k int64) {
	turn, every := int64(b.turn[int(c.id)-b.first]), int64(len(b.turns))
	for m := int64(c.got) - k; m < int64(c.got); m++ {
		b.record(l, 1, l.now-b.due(m*every+turn))
	}
	if c.want != c.got {
		c.since = b.due(int64(c.got)*every + turn)
	}
	if l.phase == phaseMeasure && b.due(b.next) <= l.now {
		b.send(l)
	}
}

// overdue: a loop that was kept from the processor in the end has not sent what
// was due then, and leaving that out would leave out the worst of the run.
func (b *pacedLoop) overdue(l *loop) bool {
	return b.due(b.next) < b.stop
}

// end says how much the client could not do at all.
func (b *pacedLoop) end(l *loop) {
	if due := min(l.now, b.stop); b.due(b.next) < due && len(b.turns) > 0 {
		unsent := int64(float64(due-b.start)/b.period) - b.next
		l.remarks.say(fmt.Sprintf("%d messages were never sent: the client is too slow for this rate", unsent))
	}
}

func (b *pacedLoop) finished(l *loop) bool { return b.deserted(l) }

func (b *pacedLoop) close() { _ = unix.Close(b.fd) }
