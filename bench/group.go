package main

// ending is how a connection ended.
type ending uint8

const (
	endFailed ending = iota // it was never open
	endLost                 // nobody asked for it
	endClosed               // we asked for it
)

// behaviour is what the connections of a group do. All calls come from the
// loop's goroutine.
type behaviour interface {
	// opened is called when the server has upgraded c.
	opened(l *loop, c *conn)
	// begin is called when measuring begins: everything that was to be opened
	// before is open, or has failed.
	begin(l *loop)
	// echoed is called when k messages more of c are back.
	echoed(l *loop, c *conn, k int64)
	// ended is called when c has no socket any longer.
	ended(l *loop, c *conn, how ending)
	// tick is called every tickTime.
	tick(l *loop)
	// timer is called for an event of a descriptor that is no connection's.
	timer(l *loop, fd int)
	// overdue reports whether something should have been sent already: the
	// run goes on for it, but not for long.
	overdue(l *loop) bool
	// end is called when nothing more is to be sent.
	end(l *loop)
	// finished reports whether there is nothing more to do in this run.
	finished(l *loop) bool
	// close gives back what the behaviour has opened.
	close()
}

// nothing is a behaviour that does nothing; others embed it for what they do
// not care for.
type nothing struct{}

func (nothing) opened(*loop, *conn)        {}
func (nothing) begin(*loop)                {}
func (nothing) echoed(*loop, *conn, int64) {}
func (nothing) ended(*loop, *conn, ending) {}
func (nothing) tick(*loop)                 {}
func (nothing) timer(*loop, int)           {}
func (nothing) overdue(*loop) bool         { return false }
func (nothing) end(*loop)                  {}
func (nothing) finished(*loop) bool        { return false }
func (nothing) close()                     {}

// group is some connections of a loop, one after the other, that do the same.
type group struct {
	behaviour
	opener opener

	first, count int
	early        bool // opened before measuring begins
	throttled    bool // read when the behaviour says so
	measured     bool // its latencies are those of the run
	buffer       int  // SO_RCVBUF; 0: the kernel's choice
}

// state is that of a connection of the group that is open.
func (g *group) state() state {
	if g.throttled {
		return stateThrottled
	}
	return stateOpen
}

// each calls f for each open connection of the group.
func (g *group) each(l *loop, f func(c *conn)) {
	for i := g.first; i < g.first+g.count; i++ {
		if c := &l.conns[i]; c.open() {
			f(c)
		}
	}
}

// deserted reports whether no connection of the group is open.
func (g *group) deserted(l *loop) bool {
	for i := g.first; i < g.first+g.count; i++ {
		if l.conns[i].open() {
			return false
		}
	}
	return true
}

// record counts k verified echoes that took ns each.
func (g *group) record(l *loop, k, ns int64) {
	if !l.counts() {
		return
	}
	l.rec.Messages(k, k*int64(l.stream.size))
	if g.measured {
		l.rec.Latency(ns, k)
	}
}
