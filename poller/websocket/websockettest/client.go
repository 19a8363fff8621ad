package websockettest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// A Client is one connection to a Server, seen from the client's side.
type Client struct {
	server   *Server
	id       uint64
	state    websocket.State
	work     *websocket.Work
	window   time.Duration // of the control-frame budget
	kept     []byte        // input that the protocol has not taken
	response *http.Response

	inbox   []byte // what came and was not looked at
	backlog []byte // what is not read, because of Stall
	stalled bool

	full  bool // the backlog is above the high-water mark: nothing is read
	over  bool // the connection has ended
	fin   bool // a handler has called End
	err   error
	cause websocket.Cause
	notes [][2]string
}

// A Frame is one that the client got.
type Frame struct {
	Op      ws.OpCode
	Payload string
}

// String is the frame for a message or an example's output: text "hello", ping
// "", close 1000 "bye". That of the zero Frame is nothing.
func (f Frame) String() string {
	switch {
	case f == Frame{}:
		return "nothing"
	case f.Op == ws.OpClose && len(f.Payload) >= 2:
		return fmt.Sprintf("close %d %q", binary.BigEndian.Uint16([]byte(f.Payload)), f.Payload[2:])
	}
	return fmt.Sprintf("%s %q", opNames[f.Op&0x0f], f.Payload)
}

var opNames = [16]string{
	"continuation", "text", "binary", "opcode 3", "opcode 4", "opcode 5", "opcode 6", "opcode 7",
	"close", "ping", "pong", "opcode 11", "opcode 12", "opcode 13", "opcode 14", "opcode 15",
}

// Response is what the upgrade was answered; nil when nothing came, or what is
// no HTTP.
func (c *Client) Response() *http.Response { return c.response }

// takeResponse cuts a response off the inbox. A 101 has frames behind it, any
// other nothing.
func (c *Client) takeResponse() *http.Response {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.inbox)), &http.Request{Method: http.MethodGet})
	if err != nil {
		return nil
	}
	_, behind, _ := bytes.Cut(c.inbox, []byte("\r\n\r\n"))
	if c.inbox = nil; r.StatusCode == http.StatusSwitchingProtocols {
		c.inbox = behind
	}
	return r
}

// Send sends a message of one frame, or a control frame.
func (c *Client) Send(op ws.OpCode, payload string) {
	f := ws.NewFrame(op, true, []byte(payload))
	c.Write(ws.MustCompileFrame(ws.MaskFrameInPlaceWith(f, mask)))
}

// mask is as good as any: the masking of a test hides nothing.
var mask = [4]byte{0x5a, 0xa5, 0x0f, 0xf0}

// SendClose sends a close frame, to begin the close handshake or to answer.
func (c *Client) SendClose(code ws.StatusCode, reason string) {
	c.Send(ws.OpClose, string(ws.NewCloseFrameBody(code, reason)))
}

// Write sends bytes as they are: part of a frame, several, or nonsense.
func (c *Client) Write(b []byte) {
	c.server.settle()
	c.heard()
	c.kept = append(c.kept, b...)
	c.server.read(c)
	c.server.settle()
}

// heard begins what begins with bytes after silence.
func (c *Client) heard() {
	if c.state.Served() {
		c.state.Begin()
	}
	if w := c.server.now / controlWindow; w != c.window {
		c.window = w
		c.state.Window()
	}
}

// controlWindow is the 10 s of the control-frame budget.
const controlWindow = 10 * time.Second

// Next takes the next frame that came; the zero Frame when there is none.
func (c *Client) Next() Frame {
	c.server.settle()
	r := bytes.NewReader(c.inbox)
	h, err := ws.ReadHeader(r)
	if err != nil || h.Length > int64(r.Len()) {
		return Frame{}
	}
	p := c.inbox[len(c.inbox)-r.Len():]
	c.inbox = p[h.Length:]
	return Frame{h.OpCode, string(p[:h.Length])}
}

// Frames takes all frames that came, as one line.
func (c *Client) Frames() string {
	var all []string
	for f := c.Next(); f != (Frame{}); f = c.Next() {
		all = append(all, f.String())
	}
	return strings.Join(all, ", ")
}

// Raw takes all bytes that came.
func (c *Client) Raw() []byte {
	c.server.settle()
	b := c.inbox
	c.inbox = nil
	return b
}

// Stall stops reading: what is sent from now on is the connection's backlog.
func (c *Client) Stall() { c.stalled = true }

// Unstall reads on: the backlog first.
func (c *Client) Unstall() {
	c.stalled = false
	c.inbox = append(c.inbox, c.backlog...)
	c.backlog = nil
	c.server.drained(c)
	c.server.settle()
}

// Hangup ends the transport, as the poller does for the reason given:
// websocket.ErrEOF, ErrReset, ErrCloseTimeout and others without a close frame.
func (c *Client) Hangup(why websocket.CloseError) {
	c.server.settle()
	c.server.finish(c, why)
	c.server.settle()
}

// Ended reports whether the connection has ended, and what it is counted under.
func (c *Client) Ended() (cause websocket.Cause, ended bool) {
	c.server.settle()
	return c.cause, c.over
}

// Err is the error that ended the connection; nil while it lives, and when the
// transport ended first.
func (c *Client) Err() error {
	c.server.settle()
	return c.err
}

// Notes are what Conn.Note has said of the connection, once it has ended.
func (c *Client) Notes() [][2]string {
	c.server.settle()
	return c.notes
}

// Idle reports whether nothing of the connection is unfinished.
func (c *Client) Idle() bool { return c.work == nil && len(c.kept) == 0 && len(c.backlog) == 0 }
