package main

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Modes, as the command line names them.
const (
	modeEcho    = "echo"
	modeRate    = "rate"
	modeIdle    = "idle"
	modeStorm   = "storm"
	modeSlow    = "slow"
	modeMixed   = "mixed"
	modeCompare = "compare"
)

// load is what a run does, all processes together.
type load struct {
	Mode     string        `json:"mode"`
	Servers  []server      `json:"servers"`
	Sources  []netip.Addr  `json:"sources"`
	Text     bool          `json:"text"`
	Size     int           `json:"size"`
	Duration time.Duration `json:"duration"`
	Timeout  time.Duration `json:"timeout"`

	Connections int     `json:"connections"` // of the mode's main group
	InFlight    int     `json:"in_flight"`   // connects and upgrades at a time
	Ramp        float64 `json:"ramp"`        // connects a second; 0: no limit
	Pipeline    int     `json:"pipeline"`
	Messages    int64   `json:"messages"` // -1: until the time is over
	Rate        float64 `json:"rate"`     // messages a second
	Probes      float64 `json:"probes"`   // messages a second
	Reconnect   bool    `json:"reconnect"`
	ReadRate    float64 `json:"read_rate"` // bytes a second and connection
	Active      int     `json:"active"`    // connections of a closed loop beside the others
	Churn       float64 `json:"churn"`     // connections a second that come and go

	Request     request `json:"request"`     // of the upgrade
	Payload     []byte  `json:"payload"`     // of every message; nil: random ones of Size bytes
	Compression bool    `json:"compression"` // permessage-deflate

	Insecure bool   `json:"insecure"` // TLS: any certificate will do
	CA       []byte `json:"ca"`       // TLS: who signs, in PEM; empty: whom the system trusts
	Cert     []byte `json:"cert"`     // TLS: the client's certificate, in PEM; empty: none
	Key      []byte `json:"key"`      // TLS: its private key
	Resume   bool   `json:"resume"`   // TLS: sessions are resumed
}

// server is where to connect to: a URL whose name has been looked up.
type server struct {
	URL     string         `json:"url"`
	Address netip.AddrPort `json:"address"`
	Socket  string         `json:"socket"` // instead of Address: the file of a unix socket; @name is an abstract one
	Host    string         `json:"host"`
	Target  string         `json:"target"` // path and query
	Secure  bool           `json:"secure"` // of TLS
	Name    string         `json:"name"`   // that its certificate must have
}

// share is the part of a load that one process has.
type share struct {
	load
	Index    int           `json:"index"` // of Of
	Of       int           `json:"of"`
	Started  time.Time     `json:"started"`
	Interval time.Duration `json:"interval"`
}

// share divides what is counted so that the parts add up.
func (d load) share(index, of int) *share {
	part := func(n int) int { return n/of + btoi(index < n%of) }
	d.Connections = part(d.Connections)
	d.InFlight = max(part(d.InFlight), 1)
	d.Active = part(d.Active)
	if d.Messages >= 0 {
		d.Messages = int64(part(int(d.Messages)))
	}
	for _, rate := range []*float64{&d.Ramp, &d.Rate, &d.Probes, &d.Churn} {
		*rate /= float64(of)
	}
	return &share{load: d, Index: index, Of: of}
}

// total is how many connections may be open at a time.
func (d *load) total() int {
	n := d.Connections + d.Active
	if d.Mode == modeMixed {
		n += d.churners()
	}
	return n
}

// churners is how many connections of a mixed load come and go at the same
// time: a second's worth, within bounds. A rate of 0 is no churn; that of an
// opener's ramp would be one without a limit.
func (d *load) churners() int {
	if d.Churn == 0 {
		return 0
	}
	return min(1+int(d.Churn), maxChurners)
}

const maxChurners = 256

// request is what upgrade requests have besides the usual.
func (d *load) request() request {
	r := d.Request
	if d.Compression {
		r.Extensions = deflateOffer
	}
	return r
}

// urls are those of all servers.
func (d *load) urls() string {
	var list []string
	for _, s := range d.Servers {
		list = append(list, s.URL)
	}
	return strings.Join(list, " ")
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// addGroups makes the groups of connections of the loop's share.
func (l *loop) addGroups() error {
	s := l.share
	switch s.Mode {
	case modeEcho:
		l.addClosed(s.Connections)
	case modeRate:
		g := l.addGroup(s.Connections, group{early: true, measured: true})
		b, err := newPacedLoop(l, g)
		if err != nil {
			return err
		}
		g.behaviour = b
	case modeIdle:
		l.addIdlers(true)
	case modeStorm:
		g := l.addGroup(s.Connections, group{early: s.Reconnect, measured: true})
		if s.Reconnect {
			g.behaviour = &returners{group: g}
		} else {
			g.behaviour = &stormers{group: g}
		}
	case modeSlow:
		g := l.addGroup(s.Connections, group{early: true, throttled: true, buffer: slowBuffer})
		g.behaviour = &slowReaders{group: g, rate: s.ReadRate}
		l.addClosed(s.Active)
	case modeMixed:
		l.addIdlers(false)
		l.addClosed(s.Active)
		g := l.addGroup(s.churners(), group{})
		g.opener.ramp = s.Churn
		g.behaviour = &stormers{group: g}
	}
	return nil
}

func (l *loop) addClosed(connections int) {
	g := l.addGroup(connections, group{early: true, measured: true})
	g.behaviour = &closedLoop{group: g, batch: int64(l.share.Pipeline), left: l.share.Messages}
}

func (l *loop) addIdlers(measured bool) {
	g := l.addGroup(l.share.Connections, group{early: true, measured: measured})
	g.behaviour = &idlers{group: g, probes: l.share.Probes}
}

// addGroup makes a group of new connections.
func (l *loop) addGroup(connections int, g group) *group {
	g.first, g.count = len(l.conns), connections
	l.conns = slices.Grow(l.conns, connections)
	g.opener = opener{most: l.share.InFlight, ramp: l.share.Ramp}
	for range connections {
		id := int32(len(l.conns))
		l.conns = append(l.conns, conn{id: id, fd: -1, group: uint8(len(l.groups))})
		if g.early {
			g.opener.add(id)
		}
	}
	l.groups = append(l.groups, &g)
	return &g
}
