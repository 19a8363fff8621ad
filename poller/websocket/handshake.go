package websocket

import (
	"errors"
	"io"

	"github.com/gobwas/ws"
)

// An upgrader is what the handshakes of a loop need, made once.
type upgrader struct {
	ws      ws.Upgrader
	request Request
	answer  Response
	path    []byte // memory for paths that had escapes
	added   []byte // header lines added by AddHeader

	// Of the upgrade under way.
	conn      *Conn
	protocol  []byte    // the subprotocol chosen; nil: none
	extension []byte    // header line of the extension that was agreed on; empty: none
	head      [256]byte // what ws.Upgrader gets to read instead of the client's head
	headLen   int
	read      int // bytes of it that were read
}

// canonical is the head that ws.Upgrader is shown. Ours was checked by
// Request.scan: gobwas would refuse some good ones and take some bad ones, but
// the key is all that decides what it writes.
const canonical = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-Websocket-Version: 13\r\nSec-Websocket-Key: "

func (u *upgrader) init() {
	u.headLen = copy(u.head[:], canonical) + keyLen
	u.headLen += copy(u.head[u.headLen:], "\r\n\r\n")
	u.ws = ws.Upgrader{
		ReadBufferSize:  len(u.head),
		WriteBufferSize: 512, // a 101 with a few headers: one Write
		Header:          ws.HandshakeHeaderFunc(u.writeHeader),
	}
}

// Read gives ws.Upgrader the canonical head.
func (u *upgrader) Read(p []byte) (int, error) {
	n := copy(p, u.head[u.read:u.headLen])
	u.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write takes the 101.
func (u *upgrader) Write(p []byte) (int, error) {
	u.conn.out = append(u.conn.spill(), p...)
	return len(p), nil
}

// writeHeader adds our header lines to the 101.
func (u *upgrader) writeHeader(w io.Writer) (int64, error) {
	if u.protocol != nil {
		_, _ = io.WriteString(w, "Sec-WebSocket-Protocol: ")
		_, _ = w.Write(u.protocol)
		_, _ = io.WriteString(w, "\r\n")
	}
	_, _ = w.Write(u.extension)
	_, err := w.Write(u.added)
	return 0, err
}

// handshake takes the request at the front of in: n bytes of it; 0 when more
// must arrive first. It answers it, with a 101, a page or a refusal, which is
// then the error. ErrHTTPDone ends a connection after its last page.
func (c *Conn) handshake(in []byte) (n int, err error) {
	u := &c.up
	u.conn, u.protocol, u.added = c, nil, u.added[:0]
	looked := 0
	if c.work != nil {
		looked, c.work.scanned = c.work.scanned, 0
	}
	n, refusal := u.request.scan(in, looked, c.routes.maxHead)
	if refusal != nil {
		return len(in), c.refuse(refusal)
	}
	if n == 0 {
		c.working().scanned = len(in)
		c.st.flags &^= flagServed // the next request has begun
		return 0, nil
	}
	switch err := c.answer(&u.request); err {
	case error(errWait):
		c.stopped = true // it is given again when the wait is over
		return 0, nil
	default:
		return n, err
	}
}

// answer decides on a request whose head is whole.
func (c *Conn) answer(r *Request) error {
	u := &c.up
	r.conn = c
	if c.inspect != nil {
		c.inspect(c, r)
	}
	if c.st.flags&(flagRefuse|flagCrowd) != 0 {
		return c.refuse(c.st.refusal())
	}
	if err := r.check(); err != nil {
		return c.refuse(err)
	}
	var err *Refusal
	if u.path, err = r.resolve(u.path); err != nil {
		return c.refuse(err)
	}
	i := c.routes.find(r.path)
	if i < 0 {
		return c.refuse(errPath)
	}
	c.loop.Found(c, i)
	r.route = &c.routes.list[i]
	if r.plain() {
		return c.serve(r)
	}
	c.st.version, c.st.route = c.routes.version, uint16(i)
	c.rt = &r.route.route
	return c.upgrade(r)
}

// serve answers a plain request.
func (c *Conn) serve(r *Request) error {
	rt := &r.route.route
	if rt.HTTP == nil {
		return c.refuse(errUpgrade)
	}
	w := &c.up.answer
	*w = Response{}
	if err := rt.HTTP(w, r); err != nil {
		return c.refuse(refusalOf(err))
	}
	c.out = w.append(c.spill(), r)
	c.st.flags |= flagServed
	if r.close {
		return ErrHTTPDone
	}
	return nil
}

// upgrade makes a WebSocket of the connection, if the route likes the request.
func (c *Conn) upgrade(r *Request) error {
	defer c.up.forget()
	if err := c.consider(r); err != nil {
		if err == errWait {
			return err
		}
		return c.refuse(err)
	}
	if c.st.phase == phaseEnded { // Upgrade has called End: nothing is answered
		return nil
	}
	c.st.setWindow(0)
	if c.rt.Head != nil {
		c.out = c.rt.Head(c, r, c.spill())
	} else {
		c.st.setWindow(c.negotiate(r))
		c.accept(r)
	}
	c.st.flags |= flagUpgraded
	c.users++
	c.opens()
	if c.rt.Open == nil {
		return nil
	}
	return c.handled(c.rt.Open(c))
}

// forget drops what is the client's own memory.
func (u *upgrader) forget() { u.protocol = nil }

// consider runs all that may still refuse the upgrade.
func (c *Conn) consider(r *Request) *Refusal {
	rt := c.rt
	if !rt.websocket() && rt.Upgrade == nil {
		return errNoSocket
	}
	if err := r.checkUpgrade(); err != nil {
		return err
	}
	if !r.isFrom(rt.Origins) {
		return errOrigin
	}
	if r.offers {
		var err *Refusal
		if c.up.protocol, err = r.choose(rt.Protocols); err != nil {
			return err
		}
		if c.up.protocol == nil && rt.Strict {
			return errStrict
		}
	}
	if rt.Upgrade != nil {
		if err := rt.Upgrade(c, r); err != nil {
			return refusalOf(err)
		}
	}
	if !c.rt.websocket() && c.st.phase != phaseEnded {
		return errNoSocket
	}
	return nil
}

// accept has ws.Upgrader write the 101.
func (c *Conn) accept(r *Request) {
	u := &c.up
	copy(u.head[len(canonical):], r.key)
	u.read = 0
	if _, err := u.ws.Upgrade(u); err != nil {
		panic("websocket: internal error: " + err.Error())
	}
}

// refuse writes the refusal; the same is the error that ends the connection.
func (c *Conn) refuse(f *Refusal) error {
	c.out = f.append(c.spill(), c.up.added, c.routes.listing, c.up.request.isHead())
	return f
}

// RefusePreface, in a mover's Call, answers a connection that should have begun
// with a PROXY protocol header and has not.
func (c *Conn) RefusePreface() error { return c.Deny(errPreface) }

// Deny is the mover's: in a Call it refuses what came before any request was
// read, as one would be.
func (c *Conn) Deny(f *Refusal) error {
	c.up.request, c.up.added = Request{}, c.up.added[:0]
	return c.refuse(f)
}

// refusalOf is what a handler's error means to the client.
func refusalOf(err error) *Refusal {
	if f, ok := errors.AsType[*Refusal](err); ok && refuses(f.Status) {
		return f
	}
	return &Refusal{Status: 500, Text: "the handler failed", Label: RejectHandler, Err: err}
}

// AddHeader, in Upgrade, adds a header line to the 101 or to the refusal. It
// panics when name is no token or value has control bytes: no handler splits a
// response on purpose.
func (c *Conn) AddHeader(name, value string) {
	checkHeader(name, value)
	added := append(c.up.added, name...)
	added = append(added, ": "...)
	added = append(added, value...)
	c.up.added = append(added, "\r\n"...)
}

// Protocol, in Upgrade, Head and Open, is the subprotocol that was chosen; empty
// when none was, and afterwards.
func (c *Conn) Protocol() string { return string(c.up.protocol) }
