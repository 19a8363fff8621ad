package poller

import (
	"unicode/utf8"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// This file is the oracle of the model test: what a connection that sends given
// frames must get back, by RFC 6455 and by what the routes of the model do with
// a message. It knows no bytes, no time and no server.

// modelMessage is the message limit of the model's server.
const modelMessage = 256 << 10

// What a message may ask of the model's routes; they echo all others.
const (
	pleaseClose = "close this connection, please"
	pleasePanic = "panic, please"
)

// modelClose is the code with which a route closes when it is asked to.
const modelClose = ws.StatusCode(4001)

// frame is one frame of a client, right or wrong.
type frame struct {
	op    ws.OpCode
	fin   bool
	p     []byte
	bare  bool // not masked, which a client's must be
	first int  // how many bytes of it are sent, header included; 0: all
}

// reply is one frame of the server. A close frame is compared by its code, one
// without a body by having none.
type reply struct {
	op   ws.OpCode
	p    []byte
	code ws.StatusCode
}

// oracle follows one connection from its 101.
type oracle struct {
	replies []reply
	over    bool            // both close frames are exchanged, or the server has failed the connection
	cause   websocket.Cause // of the close frame that came first, if there was one

	closing bool // the server's close frame waits for the client's
	begun   bool // a message is not finished
	op      ws.OpCode
	message []byte
}

// takes is what the next frame leads to.
func (o *oracle) takes(f frame) {
	switch {
	case o.over:
	case !o.legal(f):
		o.fail(ws.StatusProtocolError, websocket.CauseProtocol)
	case o.closing:
		o.late(f)
	case !f.op.IsControl() && len(o.message)+len(f.p) > modelMessage:
		o.fail(ws.StatusMessageTooBig, websocket.CauseTooBig)
	case f.first > 0: // what is not whole has no answer
	case f.op == ws.OpClose:
		o.closeFrame(f.p)
	case f.op == ws.OpPing:
		o.replies = append(o.replies, reply{op: ws.OpPong, p: f.p})
	case f.op != ws.OpPong:
		o.data(f)
	}
}

// late is a good frame that crosses the server's close frame: nothing follows
// that (RFC 6455 §5.5.1), but the client's, which ends it.
func (o *oracle) late(f frame) {
	if f.op == ws.OpClose {
		o.over = true
	} else if !f.op.IsControl() {
		o.begun = !f.fin
	}
}

// legal reports whether a frame may come now, by its header (RFC 6455 §5).
func (o *oracle) legal(f frame) bool {
	switch f.op {
	case ws.OpContinuation:
		return o.begun && !f.bare
	case ws.OpText, ws.OpBinary:
		return !o.begun && !f.bare
	case ws.OpPing, ws.OpPong:
		return f.fin && len(f.p) <= 125 && !f.bare
	case ws.OpClose:
		return f.fin && len(f.p) <= 125 && len(f.p) != 1 && !f.bare
	}
	return false
}

// data is a good data frame.
func (o *oracle) data(f frame) {
	if !o.begun {
		o.op, o.message = f.op, nil
	}
	o.message = append(o.message, f.p...)
	o.begun = !f.fin
	if o.begun {
		return
	}
	p := o.message
	o.message = nil
	switch {
	case o.op == ws.OpText && !utf8.Valid(p):
		o.fail(ws.StatusInvalidFramePayloadData, websocket.CauseUTF8)
	case string(p) == pleaseClose:
		o.closing, o.cause = true, websocket.CauseHandler
		o.replies = append(o.replies, reply{op: ws.OpClose, code: modelClose})
	case string(p) == pleasePanic:
		o.fail(ws.StatusInternalServerError, websocket.CausePanic)
	default:
		o.replies = append(o.replies, reply{op: o.op, p: p})
	}
}

// closeFrame is the client's close frame: its code comes back.
func (o *oracle) closeFrame(p []byte) {
	r := reply{op: ws.OpClose}
	if len(p) > 0 {
		r.code = ws.StatusCode(p[0])<<8 | ws.StatusCode(p[1])
		if c := r.code; c < 1000 || c >= 1004 && c <= 1006 || c >= 1015 && c < 3000 || c >= 5000 {
			o.fail(ws.StatusProtocolError, websocket.CauseProtocol)
			return
		}
	}
	o.replies = append(o.replies, r)
	o.over, o.cause = true, websocket.CausePeer
}

// fail is the end of a connection with a close frame of the server.
func (o *oracle) fail(code ws.StatusCode, cause websocket.Cause) {
	o.replies = append(o.replies, reply{op: ws.OpClose, code: code})
	o.over, o.cause = true, cause
}
