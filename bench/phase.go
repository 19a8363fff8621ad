package main

import (
	"time"

	"github.com/panjf2000/gnet/v2/pkg/errors"
	"golang.org/x/sys/unix"
)

// phase is how far a run is. Where it stops for a command it has told its
// parent so by the report of the same name.
type phase uint8

const (
	phaseNew     phase = iota // waits for commandOpen: what is there before is read
	phaseSetup                // connections are opened
	phaseReady                // waits for commandGo
	phaseMeasure              // counts
	phaseDrain                // sends no more, takes what is still to come
	phaseKeep                 // waits for commandFinish: the server's memory is read
	phaseClose                // closes what is open
	phaseOver
)

const (
	tickTime = 10 * time.Millisecond
	// sweepTime is how often connections are looked at that wait for too long.
	sweepTime = 100 * time.Millisecond
	// graceTime bounds how long a run goes on for what is overdue at its end.
	graceTime = time.Second
	// closeTime bounds the close handshakes at the end of a run.
	closeTime = 5 * time.Second
)

// progress is where the loop is in its run. All times are the loop's.
type progress struct {
	phase    phase
	began    int64 // the phase
	nextCut  int64
	nextLook int64
	alive    int  // connections that are open
	halted   bool // commandStop has come
	finish   bool // commandFinish has come
}

// command is what a parent tells its loops.
type command string

const (
	commandOpen   command = "open"   // open the connections
	commandGo     command = "go"     // begin to measure
	commandFinish command = "finish" // close the connections and end
	commandStop   command = "stop"   // measure no longer
)

// counts reports whether echoes are counted: those of an open loop that come
// late count too, or a server could win by not answering.
func (l *loop) counts() bool {
	return l.phase == phaseMeasure || l.phase == phaseDrain && l.share.Mode == modeRate
}

// tick is the loop's own time.
func (l *loop) tick() error {
	var b [8]byte
	_, _ = unix.Read(l.ticker, b[:])
	l.now = l.clock()
	l.listen()
	for _, g := range l.groups {
		if l.phase == phaseNew {
			break
		}
		g.opener.tick()
		l.open(g)
		g.behaviour.tick(l)
	}
	if l.now >= l.nextLook {
		l.nextLook = l.now + int64(sweepTime)
		l.sweep()
	}
	l.advance()
	if l.now >= l.nextCut {
		l.cutInterval()
	}
	if l.phase == phaseOver {
		return errors.ErrEngineShutdown
	}
	return nil
}

// listen takes the commands that have come.
func (l *loop) listen() {
	for {
		select {
		case c, ok := <-l.commands:
			if !ok { // the parent is gone
				l.halted, l.finish, l.commands = true, true, nil
				continue
			}
			switch c {
			case commandOpen:
				l.phase, l.began = phaseSetup, l.now
			case commandGo:
				l.start()
			case commandFinish:
				l.finish = true
			case commandStop:
				l.halted = true
			}
		default:
			return
		}
	}
}

// start begins to measure.
func (l *loop) start() {
	if l.phase != phaseReady {
		return // stopped before
	}
	l.enter(phaseMeasure)
	for _, g := range l.groups {
		l.now = l.clock()
		g.begin(l)
		l.open(g)
	}
}

// enter goes on to a phase: what was recorded up to now belongs to the last.
func (l *loop) enter(p phase) {
	l.cutInterval()
	l.phase, l.began = p, l.now
	l.rec.Setup = p != phaseMeasure
}

// advance goes on to the next phase when this one has done its work.
func (l *loop) advance() {
	switch l.phase {
	case phaseSetup:
		if l.halted {
			l.end()
		} else if l.opened() && l.quiet() {
			l.enter(phaseReady)
			l.tell(phaseReady)
		}
	case phaseNew, phaseReady:
		if l.halted {
			l.end()
		}
	case phaseMeasure:
		if l.halted || l.timeOver() || l.finished() {
			l.end()
		}
	case phaseDrain:
		if l.quiet() || l.halted {
			l.enter(phaseKeep)
			l.tell(phaseKeep)
		}
	case phaseKeep:
		if l.finish {
			l.enter(phaseClose)
			l.goodbyes()
		}
	case phaseClose:
		if l.alive == 0 || l.now-l.began >= int64(closeTime) {
			l.over()
		}
	}
}

// end stops sending.
func (l *loop) end() {
	for _, g := range l.groups {
		g.opener.stop()
		g.behaviour.end(l)
	}
	l.enter(phaseDrain)
	l.tell(phaseDrain)
}

// timeOver reports whether the time for measuring is over, and that for what is
// overdue then.
func (l *loop) timeOver() bool {
	after := l.now - l.began - int64(l.share.Duration)
	if after < 0 {
		return false
	}
	for _, g := range l.groups {
		if g.behaviour.overdue(l) && after < int64(graceTime) {
			return false
		}
	}
	return true
}

// opened reports whether everything that is opened early is open, or has failed.
func (l *loop) opened() bool {
	for _, g := range l.groups {
		if g.early && !g.opener.rests() {
			return false
		}
	}
	return true
}

// finished reports whether there is nothing left to measure.
func (l *loop) finished() bool {
	for _, g := range l.groups {
		if !g.behaviour.finished(l) {
			return false
		}
	}
	return true
}

// quiet reports whether no connection waits for anything. Those that are read
// slowly on purpose are not waited for.
func (l *loop) quiet() bool {
	for i := range l.conns {
		switch c := &l.conns[i]; c.state {
		case stateConnecting, stateSecuring, stateUpgrading, stateClosing:
			return false
		case stateOpen:
			if c.want != c.got {
				return false
			}
		}
	}
	return true
}

// sweep ends connections that have waited for too long. A close that is not
// answered is the server's lateness, not an error of what was measured.
func (l *loop) sweep() {
	for i := range l.conns {
		c := &l.conns[i]
		if l.now-c.since < l.timeout {
			continue
		}
		switch c.state {
		case stateConnecting:
			l.fail(c, &failure{KindConnectTimeout, "connect to " + l.targetOf(c).address + ": no answer"})
		case stateSecuring:
			l.fail(c, &failure{KindUpgradeTimeout, "the TLS handshake did not end"})
		case stateUpgrading:
			l.fail(c, &failure{KindUpgradeTimeout, "the upgrade was not answered"})
		case stateClosing:
			l.release(c, cut)
			l.groups[c.group].ended(l, c, endClosed)
		case stateOpen, stateThrottled:
			if c.want != c.got {
				l.lose(c, &failure{KindTimeout, "no echo in time"})
			}
		}
	}
}

// goodbyes closes all connections.
func (l *loop) goodbyes() {
	for i := range l.conns {
		c := &l.conns[i]
		switch {
		case c.state == stateThrottled: // the close frame would wait behind what is not read
			l.release(c, cut)
		case c.open():
			l.goodbye(c)
		}
	}
}

// over gives back everything.
func (l *loop) over() {
	for i := range l.conns {
		if c := &l.conns[i]; c.state != stateNone {
			l.release(c, cut)
		}
	}
	l.enter(phaseOver)
	l.tell(phaseOver)
}

// cutInterval hands over what was recorded.
func (l *loop) cutInterval() {
	for l.nextCut <= l.now {
		l.nextCut += l.intervals
	}
	l.reports <- report{Worker: l.share.Index, Interval: l.rec.Cut(time.Now())}
	l.rec.Setup = l.phase != phaseMeasure
}

// tell says that the loop has come to a phase.
func (l *loop) tell(p phase) {
	r := report{Worker: l.share.Index, Phase: p, Open: l.alive}
	if p == phaseOver {
		r.Notes = l.remarks.list()
	}
	l.reports <- r
}
