//go:build inject

package poller

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// faults says how many of a thousand calls fail, and how.
type faults struct {
	short  int // the call takes only some of its bytes
	errnos map[syscall.Errno]int
}

// install has the faults happen to s from now on, until the test ends. It returns
// how often each did.
//
// EAGAIN, and a call that takes less than it was given, promise an event once the
// socket is ready; for those that were made up the event is made up too.
func (f faults) install(s *running, seed uint64) (happened func(syscall.Errno) int) {
	var (
		mu    sync.Mutex // several loops
		rng   = rand.New(rand.NewPCG(seed, 1))
		count = make(map[syscall.Errno]int)
	)
	inject := func(c call, fd int, n *int) syscall.Errno {
		mu.Lock()
		defer mu.Unlock()
		for _, errno := range []syscall.Errno{unix.EAGAIN, unix.EINTR, unix.ECONNRESET, unix.ENOBUFS} {
			if c != callSend && errno == unix.ENOBUFS {
				continue // recv(2) does not fail so
			}
			if rng.IntN(1000) < f.errnos[errno] {
				count[errno]++
				if errno == unix.EAGAIN {
					s.ready(fd)
				}
				return errno
			}
		}
		if rng.IntN(1000) < f.short {
			count[0]++
			*n = 1 + rng.IntN(*n)
			s.ready(fd)
		}
		return 0
	}
	injector.Store(&inject)
	s.t.Cleanup(func() { injector.Store(nil) })
	return func(errno syscall.Errno) int {
		mu.Lock()
		defer mu.Unlock()
		return count[errno]
	}
}

// ready makes the event up that says that a socket can be read and written.
func (s *running) ready(fd int) {
	s.each(func(l *loop) {
		if sl := l.table.at(fd); sl != nil && sl.is(l) {
			_ = l.event(fd, unix.EPOLLIN|unix.EPOLLOUT)
		}
	})
}

// talk sends messages and compares the echoes until all have come and the close
// handshake is over. lost says that the connection ended before; what came until
// then was right.
func (c *client) talk(rng *rand.Rand, messages int) (lost bool, err error) {
	sent := make([][]byte, messages)
	for i := range sent {
		sent[i] = make([]byte, rng.IntN(1<<(1+rng.IntN(17))))
		for j := range sent[i] {
			sent[i][j] = byte(rng.Uint32())
		}
	}
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() { // the reader sees it when a write fails
		for i, p := range sent {
			if i%4 == 0 {
				_, _ = c.Write(masked(ws.OpPing, nil, true))
			}
			_, _ = c.Write(masked(ws.OpBinary, p, true))
		}
		_, _ = c.Write(masked(ws.OpClose, closeBody(1000, ""), true))
	})
	return c.compare(sent)
}

// compare reads echoes and the answer to the close frame.
func (c *client) compare(sent [][]byte) (lost bool, err error) {
	for at := 0; ; {
		op, p, err := c.read()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed):
			return true, nil
		case err != nil:
			return false, err
		case op == ws.OpPong:
		case op == ws.OpClose:
			if at < len(sent) {
				return false, errors.New("closed before all was echoed")
			}
			return false, nil
		case at == len(sent) || !bytes.Equal(p, sent[at]):
			return false, errors.New("an echo that is not what was sent")
		default:
			at++
		}
	}
}

// TestInjectedFaults: whatever system calls fail with, everybody gets each echo
// whole and in order, or loses the connection; and in the end nothing is held
// (start's cleanup compares the books).
func TestInjectedFaults(t *testing.T) {
	const clients, messages = 60, 12
	for _, tt := range []struct {
		name   string
		faults faults
		fatal  bool
	}{
		{name: "short", faults: faults{short: 700}},
		{name: "EAGAIN", faults: faults{errnos: map[syscall.Errno]int{unix.EAGAIN: 500}}},
		{name: "EINTR", faults: faults{errnos: map[syscall.Errno]int{unix.EINTR: 500}}},
		{name: "all that pass", faults: faults{short: 300, errnos: map[syscall.Errno]int{unix.EAGAIN: 200, unix.EINTR: 200}}},
		{name: "ECONNRESET", faults: faults{short: 300, errnos: map[syscall.Errno]int{unix.ECONNRESET: 30}}, fatal: true},
		{name: "ENOBUFS", faults: faults{short: 300, errnos: map[syscall.Errno]int{unix.ENOBUFS: 30}}, fatal: true},
		{name: "everything", faults: faults{short: 300, errnos: map[syscall.Errno]int{unix.EAGAIN: 200, unix.EINTR: 100, unix.ECONNRESET: 30, unix.ENOBUFS: 30}}, fatal: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, map[string]websocket.Route{"/": echoing}, nil)
			var all [clients]*client
			for i := range all {
				all[i] = s.dial("/")
			}
			happened := tt.faults.install(s, 1)
			var lost atomic.Int32
			var ends sync.WaitGroup
			for i, c := range all {
				ends.Go(func() {
					gone, err := c.talk(rand.New(rand.NewPCG(2, uint64(i))), messages)
					if err != nil {
						t.Errorf("client %d: %v", i, err)
					}
					if gone {
						lost.Add(1)
					}
					_ = c.Close()
				})
			}
			ends.Wait()
			if got := lost.Load(); tt.fatal != (got > 0) {
				t.Errorf("%d clients lost their connection", got)
			}
			for errno, n := range tt.faults.errnos {
				if n > 0 && happened(errno) == 0 {
					t.Errorf("%v did not happen", errno)
				}
			}
			s.until("all ended", func(got Stats) bool { return got.Connections == 0 })
		})
	}
}
