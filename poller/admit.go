package poller

import (
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// admission is what becomes of a new connection.
type admission uint8

const (
	admitted       admission = iota
	refusedFull              // its request will be refused: above the cap on connections
	refusedAddress           // its request will be refused: above the cap of its address
	turnedAway               // closed at once
)

// reserve is how many descriptors are kept from connections: for listeners, the
// loops and what the program opens besides.
const reserve = 128

// place gives a new connection, accepted by from, to the loop that has the fewest.
func (l *loop) place(fd int, from *listener) {
	total := int32(0)
	least := l
	for _, o := range l.srv.loops {
		n := o.count.Load()
		total += n
		if n < least.count.Load() {
			least = o
		}
	}
	verdict := l.admit(fd, from, int(total))
	if verdict == turnedAway {
		l.stats.Closed[websocket.CauseHTTP]++
		_ = unix.Close(fd)
		return
	}
	least.count.Add(1)
	least.halfOpen.Add(1)
	if least == l {
		l.adopt(fd, verdict, from)
	} else {
		l.handOver(letter{kind: letterAdopt, to: websocket.NewHandle(nil, int32(fd), 0), verdict: verdict, from: from}, least)
	}
	l.makeRoom()
}

// admit decides on a new connection beside total others.
func (l *loop) admit(fd int, from *listener, total int) admission {
	s := l.table.make(fd)
	if s == nil {
		return turnedAway
	}
	p := l.identify(fd, s, from)
	c := l.srv.conf()
	if refused := l.srv.refused.Load(); total-int(refused) >= c.MaxConnections {
		l.stats.Refused[RefusedMaxConnections]++
		if int(refused) >= c.refusals {
			return turnedAway
		}
		l.srv.refused.Add(1)
		return refusedFull
	}
	if p == nil || p.nameless() || p.trusted || c.MaxPerAddress == 0 {
		return admitted // a proxy is nobody's address: its clients are counted when it has named them
	}
	verdict := l.srv.addresses.enter(p, c.MaxPerAddress)
	if verdict != admitted {
		l.stats.Refused[RefusedPerAddress]++
	}
	return verdict
}

// handOver gives a connection to another loop, which has been told to count it.
func (l *loop) handOver(x letter, to *loop) {
	if to.mail.post(to, x) == nil {
		return
	}
	fd := int(x.to.FD)
	to.count.Add(-1) // the loops are ending
	to.halfOpen.Add(-1)
	l.stats.Closed[websocket.CauseGoingAway]++
	if x.verdict == refusedFull {
		l.srv.refused.Add(-1)
	}
	if p := l.srv.identities.at(fd); p != nil {
		l.srv.addresses.leave(p)
	}
	_ = unix.Close(fd)
}
