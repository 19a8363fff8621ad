package poller

import (
	"runtime"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

const (
	// eventBatch is how many events one wait brings at most.
	eventBatch = 1024
	// readWrite is what a connection is watched for, edge-triggered.
	readWrite = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
	// doze is the longest wait that the scheduler is not told of, in ms. A signal
	// of the runtime, which takes the thread for a running one, ends it sooner as
	// a rule. Below the period of the kernel's clock a timer would have to be set
	// for each wait, which costs more than the wait itself.
	doze = 20
	// A loop is brisk when its last briskRounds rounds took less than briskTime:
	// as a rule it goes on within a millisecond.
	briskRounds = 128
	briskTime   = briskRounds * time.Millisecond
)

// interest is the interest list of a loop (epoll(7)), and how the loop waits for
// it.
type interest struct {
	fd     int
	spare  bool // the runtime has processors that no loop holds
	handed bool // a goroutine was given work since the last wait
	brisk  bool
	rounds int       // since since
	since  time.Time // when brisk was last found out
	events [eventBatch]unix.EpollEvent
}

// pace counts a round and reports whether the loop may doze.
func (in *interest) pace() bool {
	if in.rounds++; in.rounds >= briskRounds {
		now := time.Now()
		in.brisk = now.Sub(in.since) < briskTime
		in.rounds, in.since = 0, now
	}
	return in.brisk && in.spare
}

// awake is netpoll's callback: something of the interest list is ready.
//
// netpoll watches the list and nothing else, and waits for it with a system call
// that the scheduler knows to block. That has a price when a loop sleeps for 20 µs
// and more, ten thousand times a second: the runtime's monitor takes the loop's
// processor away, and the loop has to get one again. So a brisk loop stays here
// and dozes: it keeps its processor while it waits, which is why the runtime must
// have another one for all else. The list is not in netpoll's meanwhile, or every
// event would be told to both.
func (l *loop) awake(int, netpoll.IOEvent, netpoll.IOFlags) error {
	dozing := l.interest.pace()
	if dozing {
		_ = l.poll.Delete(l.interest.fd)
	}
	for {
		if l.interest.handed { // it begins here, however busy the others are
			l.interest.handed = false
			runtime.Gosched()
		}
		n := epollWait(l.interest.fd, &l.interest.events, l.nap(dozing))
		if err := l.round(n); err != nil {
			return err
		}
		if len(l.queue) > 0 {
			l.takeTurns()
			continue
		}
		if !dozing {
			return nil
		}
		if n > 0 && l.interest.pace() {
			continue
		}
		if l.listen() == nil { // else the kernel lacks memory: the loop dozes on
			return nil
		}
	}
}

// nap is how long the next wait may last, in ms: while somebody in the queue waits
// for a turn the loop only looks.
func (l *loop) nap(dozing bool) int {
	if !dozing || len(l.queue) > 0 {
		return 0
	}
	return doze
}

// listen has netpoll watch the interest list.
func (l *loop) listen() error {
	return l.poll.AddRead(&netpoll.PollAttachment{FD: l.interest.fd}, false)
}

// round handles the n events of a wait. An error is the end of the loop.
func (l *loop) round(n int) error {
	for i := range n {
		ev := &l.interest.events[i]
		if err := l.event(int(ev.Fd), ev.Events); err != nil {
			return err
		}
	}
	return nil
}

// watch puts a descriptor in the interest list.
func (l *loop) watch(fd int, events uint32) error {
	return epollAdd(l.interest.fd, fd, events)
}

// unwatch takes one out. A descriptor that is closed leaves by itself, unless
// another process has it too.
func (l *loop) unwatch(fd int) {
	_ = unix.EpollCtl(l.interest.fd, unix.EPOLL_CTL_DEL, fd, nil)
}
