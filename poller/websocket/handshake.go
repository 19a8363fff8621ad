package websocket

type upgrader struct{}

func (u *upgrader) init() {}

// handshake takes the request at the front of in.
func (c *Conn) handshake(in []byte) (n int, err error) { panic("websocket: internal error: handshake") }
