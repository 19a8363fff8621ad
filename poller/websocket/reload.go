package websocket

// edition is a version of the routing table that is no longer the newest.
type edition struct {
	routes *Routes
	users  int // connections that upgraded with it
}

// Serve makes routes, whose version is not in use, the table for upgrades from
// now on. A connection keeps the version that it was upgraded with; a version
// ends with its last connection. The mover calls it between two events.
func (c *Conn) Serve(routes *Routes) {
	if c.users > 0 {
		if c.older == nil {
			c.older = make(map[uint16]*edition)
		}
		c.older[c.routes.version] = &edition{c.routes, c.users}
	}
	c.routes, c.users = routes, 0
	c.lastRoute = nil // its version's number may be another table's some day
}

// Versions are the versions of the routing table that are in use, the newest
// first.
func (c *Conn) Versions() []uint16 {
	all := []uint16{c.routes.version}
	for version := range c.older {
		all = append(all, version)
	}
	return all
}

// retire ends the connection's use of its version of the table.
func (c *Conn) retire() {
	if c.st.flags&flagUpgraded == 0 {
		return
	}
	if c.st.version == c.routes.version {
		c.users--
		return
	}
	e := c.older[c.st.version]
	if e.users--; e.users == 0 {
		delete(c.older, c.st.version)
	}
}
