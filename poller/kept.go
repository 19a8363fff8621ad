package poller

// This file is input that was read and not consumed: it is kept, and given again.

// keep sets input aside until it can be given again.
func (l *loop) keep(fd int, s *slot, rest []byte) *busy {
	if len(rest) == 0 {
		return nil
	}
	b := l.work(fd, s)
	b.in = append(l.Alloc(len(rest)), rest...)
	return b
}

// unkeep puts the kept input back in front of the read buffer.
func (l *loop) unkeep(b *busy) int {
	if b == nil || b.in == nil {
		return 0
	}
	n := copy(l.buf, b.in)
	l.Free(b.in)
	b.in = nil
	return n
}

// again gives kept whole frames to the connection.
func (l *loop) again(fd int, s *slot, b *busy, sure bool) {
	b.whole = false
	in := b.in
	b.in = nil
	l.bind(fd, s)
	b.pending = b.pending || !sure
	n := copy(l.buf, in) // one read at most; its memory goes back before it is answered
	l.Free(in)
	l.receive(fd, s, l.buf[:n], nil, b.pending)
}
