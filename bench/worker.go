package main

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// report is what a loop tells its parent.
type report struct {
	Worker   int       `json:"worker"`
	Interval *Interval `json:"interval,omitempty"`
	Phase    phase     `json:"phase,omitempty"` // that the loop has come to, unless there is an Interval
	Open     int       `json:"open,omitempty"`  // connections then
	Notes    []string  `json:"notes,omitempty"`
	Failed   string    `json:"failed,omitempty"` // why the loop could not do its work
}

// last reports whether the loop reports nothing after this.
func (r *report) last() bool { return r.Phase == phaseOver || r.Failed != "" }

// runLoop does a share of a load.
func runLoop(s *share, commands <-chan command, reports chan<- report) {
	l, err := newLoop(s, commands, reports)
	if err == nil {
		err = l.run()
		l.close()
	}
	if err != nil {
		reports <- report{Worker: s.Index, Failed: err.Error()}
	}
}

func newLoop(s *share, commands <-chan command, reports chan<- report) (*loop, error) {
	now := time.Now()
	l := &loop{
		stream: s.stream(), request: s.request(), buf: make([]byte, readBuffer),
		epoch: now, rec: NewRecorder(s.Index, now), share: s, seed: rand.Uint64(), timeout: int64(s.Timeout),
		ticker: -1, commands: commands, reports: reports, intervals: int64(s.Interval),
		parsers: make(map[int32]*parser), sides: make(map[int32][]byte), heads: make(map[int32][]byte),
	}
	l.rec.Setup = true
	l.nextCut = l.intervals - int64(now.Sub(s.Started))
	for _, server := range s.Servers {
		sa, family := server.sockaddr()
		_, address := server.dialled()
		l.targets = append(l.targets, target{sa, family, tlsConfig(&server, s), address, server.Host, server.Target})
	}
	for _, source := range s.Sources {
		sa, _ := sockaddr(netip.AddrPortFrom(source, 0))
		l.sources = append(l.sources, sa)
	}
	if err := l.prepare(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// prepare opens what the loop itself needs.
func (l *loop) prepare() (err error) {
	if l.poll, err = netpoll.OpenPoller(); err != nil {
		return err
	}
	if l.ticker, err = newTicker(); err != nil {
		return err
	}
	if err = l.poll.AddRead(&netpoll.PollAttachment{FD: l.ticker}, false); err != nil {
		return err
	}
	return l.addGroups()
}

// newTicker makes a timerfd that ticks.
func newTicker() (int, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("timerfd_create", err)
	}
	every := unix.NsecToTimespec(int64(tickTime))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("timerfd_settime", err)
	}
	return fd, nil
}

// run is the loop's goroutine. It returns when the run is over.
func (l *loop) run() error {
	err := l.poll.Polling(l.event)
	if err == errors.ErrEngineShutdown {
		return nil
	}
	return err
}

// close gives back what the loop has. Its connections are closed already.
func (l *loop) close() {
	for _, g := range l.groups {
		if g.behaviour != nil {
			g.behaviour.close()
		}
	}
	if l.ticker >= 0 {
		_ = unix.Close(l.ticker)
	}
	if l.poll != nil {
		_ = l.poll.Close()
	}
}
