package poller

// requeue puts the connection at the back of the loop's queue: it is read again
// after the events that wait.
func (l *loop) requeue(fd int, s *slot) {
	b := l.work(fd, s)
	if b.queued {
		return
	}
	b.queued = true
	l.queue = append(l.queue, place{fd, s.generation()})
}

// takeTurns gives each connection in the queue its turn.
func (l *loop) takeTurns() {
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
}
