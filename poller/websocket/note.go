package websocket

// Note has the mover say key=value of the connection where it logs its end (the
// access log of package poller). It may be called in any function of the Route,
// Gone included. A connection without a note pays nothing for this.
func (c *Conn) Note(key, value string) {
	if c.notes == nil {
		c.notes = make(map[uint64][][2]string)
	}
	c.notes[c.id] = append(c.notes[c.id], [2]string{key, value})
}

// Noted is the mover's: the notes of the connection that was released last.
func (c *Conn) Noted() [][2]string { return c.noted }

// unnote takes the notes of a connection that ends out of those of the loop.
func (c *Conn) unnote() {
	c.noted = nil
	if len(c.notes) > 0 {
		c.noted = c.notes[c.id]
		delete(c.notes, c.id)
	}
}
