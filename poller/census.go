package poller

// census counts the connections of a loop by the number of their route's pattern,
// 0 before the upgrade, and by state. It is kept as they come, change and go, so
// that nobody has to look at a million slots to know.
type census [][States]int32

// row is where connections of a route are counted.
func (c *census) row(name uint16) *[States]int32 {
	for int(name) >= len(*c) {
		*c = append(*c, [States]int32{})
	}
	return &(*c)[name]
}

// counted is the state that a connection is counted in. Working state holds it when
// it differs from what the slot's owner word says.
func (l *loop) counted(s *slot) State {
	if b := l.busyOf(s); b != nil && b.counted != StateHandshake {
		return b.counted
	}
	if s.up() {
		return StateOpen
	}
	return StateHandshake
}

// rowOf is where a connection is counted.
func (l *loop) rowOf(s *slot) *[States]int32 {
	if s.up() {
		return l.stats.census.row(s.name())
	}
	return l.stats.census.row(0)
}

// recount counts a connection in another state. One that closes goes on to do so;
// and a backlog before the upgrade is of the handshake.
func (l *loop) recount(s *slot, b *busy, now State) {
	was := l.counted(s)
	if was == StateClosing || now != StateClosing && !s.up() {
		return
	}
	row := l.rowOf(s)
	row[was]--
	row[now]++
	b.counted = now
}

// countUpgrade moves a connection to its route.
func (l *loop) countUpgrade(s *slot) {
	l.rowOf(s)[l.counted(s)]--
	s.setUp(l.names[s.ws.Route()])
	l.rowOf(s)[l.counted(s)]++
	if b := l.busyOf(s); b != nil && b.full {
		l.recount(s, b, StatePaused)
	}
}

// RouteStats is how many connections a route has.
type RouteStats struct {
	Route       string // the pattern; empty: not upgraded yet
	Connections [States]int
}

// addCensus adds a loop's census to those of the routes, which are in the order of
// the patterns' numbers.
func (s *Stats) addCensus(c census) {
	for i, row := range c {
		for state, n := range row {
			s.Routes[i].Connections[state] += int(n)
		}
	}
}

// routeStats is an empty entry for each pattern of all tables that there were.
func (s *Server) routeStats() []RouteStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]RouteStats, 1, 1+len(s.names))
	for _, pattern := range s.names {
		all = append(all, RouteStats{Route: pattern})
	}
	return all
}
