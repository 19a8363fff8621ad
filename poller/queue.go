package poller

import "golang.org/x/sys/unix"

// requeue puts the connection at the back of the loop's queue.
func (l *loop) requeue(fd int, s *slot) {
	b := l.work(fd, s)
	if b.queued {
		return
	}
	b.queued = true
	l.queue = append(l.queue, place{fd, s.generation()})
	if len(l.queue) == 1 {
		l.ring()
	}
}

// ring makes the eventfd readable: the loop comes back to its queue and mail
// after the events that wait.
func (l *loop) ring() {
	one := [8]byte{1}
	for {
		if _, err := unix.Write(l.wake, one[:]); err != unix.EINTR {
			return // EAGAIN: it is as full as can be, and readable
		}
	}
}

// woken takes the mail and gives each connection in the queue its turn.
func (l *loop) woken() error {
	var count [8]byte
	_, _ = unix.Read(l.wake, count[:])
	if err := l.deliver(); err != nil {
		return err
	}
	l.turns, l.queue = l.queue, l.turns[:0]
	for _, p := range l.turns {
		s := l.table.at(p.fd)
		if !s.is(l) || s.generation() != p.gen || s.busy == 0 {
			continue
		}
		b := l.busys[s.busy]
		b.queued = false
		if len(b.out) > 0 && !l.drainOut(p.fd, s, b) {
			continue
		}
		l.read(p.fd, s, false)
	}
	return nil // who has to wait again has rung
}
