package websocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Cause is the label under which the end of a connection is counted. The list
// is closed: every connection ends for exactly one of them.
type Cause uint8

// The causes, in the order of their counters.
const (
	CauseHandler          Cause = iota // a handler closed it
	CausePeer                          // the peer sent a close frame first
	CauseEOF                           // the stream ended without a close frame
	CauseReset                         // the connection was reset
	CauseHTTP                          // it ended before an upgrade: plain HTTP, or refused
	CauseHandshakeTimeout              // no whole request in time
	CauseHandlerError                  // a handler returned an error that is no CloseError
	CausePanic                         // a handler panicked
	CauseProtocol                      // the peer broke RFC 6455
	CauseUTF8                          // text that is not UTF-8
	CauseTooBig                        // a message over the limit
	CauseFragments                     // a message of too many fragments
	CauseControlFlood                  // too many control frames
	CauseMessageTimeout                // a message that did not end in time
	CauseSlowReader                    // the peer took nothing for the stall time
	CauseMemory                        // the sum of all buffers was over its bound
	CauseIdle                          // nothing heard for the idle time
	CauseLifetime                      // the connection had lived long enough
	CauseCloseTimeout                  // our close frame was not answered
	CauseGoingAway                     // the server stops
	CauseTLS                           // the handshake of TLS failed, or a record was bad
	CauseDeflate                       // a compressed message that does not inflate
	Causes                             // how many there are
)

var causeLabels = [Causes]string{
	"handler", "peer", "eof", "reset", "http", "handshake_timeout", "handler_error",
	"panic", "protocol", "utf8", "too_big", "fragments", "control_flood",
	"message_timeout", "slow_reader", "memory", "idle", "lifetime", "close_timeout",
	"going_away", "tls", "deflate",
}

// String returns the label used in counters and logs.
func (c Cause) String() string { return causeLabels[c] }

// A CloseError is the end of a connection: the code and reason of its close
// frame (RFC 6455 §7.1.5, §7.1.6), who sent it first, and what it is counted
// under. A handler returns one to close the connection with that code; a zero
// Code sends a close frame without a body.
type CloseError struct {
	Code   ws.StatusCode
	Reason string // at most 123 bytes of UTF-8 leave; the rest is cut
	Peer   bool   // the peer's close frame came first
	Cause  Cause  // zero when a handler made the value
}

// Error implements error.
func (e CloseError) Error() string {
	who := "closed"
	if e.Peer {
		who = "closed by peer"
	}
	return fmt.Sprintf("websocket: %s: %s, code %d %q", who, e.Cause, e.Code, e.Reason)
}

// What ends a connection from our side. The code travels with the error.
var (
	ErrBadClose       = CloseError{Code: ws.StatusProtocolError, Reason: "bad close frame", Cause: CauseProtocol}
	ErrInvalidUTF8    = CloseError{Code: ws.StatusInvalidFramePayloadData, Reason: "invalid UTF-8", Cause: CauseUTF8}
	ErrDeflate        = CloseError{Code: ws.StatusInvalidFramePayloadData, Reason: "invalid compressed data", Cause: CauseDeflate}
	ErrIdle           = CloseError{Code: ws.StatusPolicyViolation, Reason: "idle", Cause: CauseIdle}
	ErrControlFlood   = CloseError{Code: ws.StatusPolicyViolation, Reason: "too many control frames", Cause: CauseControlFlood}
	ErrFragments      = CloseError{Code: ws.StatusPolicyViolation, Reason: "too many fragments", Cause: CauseFragments}
	ErrSlowReader     = CloseError{Code: ws.StatusAbnormalClosure, Reason: "peer does not read", Cause: CauseSlowReader}
	ErrMessageTooBig  = CloseError{Code: ws.StatusMessageTooBig, Reason: "message too big", Cause: CauseTooBig}
	ErrMessageTimeout = CloseError{Code: ws.StatusPolicyViolation, Reason: "message timeout", Cause: CauseMessageTimeout}
	ErrTryLater       = CloseError{Code: 1013, Reason: "try again later", Cause: CauseMemory} // IANA registry: 1013 Try Again Later
	ErrGoingAway      = CloseError{Code: ws.StatusGoingAway, Reason: "going away", Cause: CauseGoingAway}
	ErrRestart        = CloseError{Code: 1012, Reason: "service restart", Cause: CauseGoingAway} // IANA registry: 1012 Service Restart
	ErrLifetime       = CloseError{Code: ws.StatusGoingAway, Reason: "lifetime over", Cause: CauseLifetime}
)

// Errors that a connection without a close frame ends with.
var (
	ErrEOF              = CloseError{Code: ws.StatusAbnormalClosure, Reason: "end of stream", Cause: CauseEOF}
	ErrReset            = CloseError{Code: ws.StatusAbnormalClosure, Reason: "connection reset", Cause: CauseReset}
	ErrCloseTimeout     = CloseError{Code: ws.StatusAbnormalClosure, Reason: "close frame not answered", Cause: CauseCloseTimeout}
	ErrHandshakeTimeout = CloseError{Code: ws.StatusAbnormalClosure, Reason: "handshake timeout", Cause: CauseHandshakeTimeout}
	ErrTLS              = CloseError{Code: ws.StatusAbnormalClosure, Reason: "TLS failed", Cause: CauseTLS}
	ErrHTTPDone         = CloseError{Code: ws.StatusAbnormalClosure, Reason: "plain HTTP done", Cause: CauseHTTP}
)

// Errors of sending; the connection lives on unless it has ended already.
var (
	ErrBacklog = errors.New("websocket: backlog is full")    // the peer reads too slowly; nothing was taken
	ErrGone    = errors.New("websocket: connection is gone") // closed, or closing: no data may follow a close frame
)

// A PanicError is a handler's panic. Stack is the text of its goroutine's
// stack at the panic.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("websocket: handler panicked: %v", e.Value) }

// closeFor is the one place where an error becomes a close frame.
func closeFor(err error) CloseError {
	if end, ok := errors.AsType[CloseError](err); ok && end.closes() {
		return end
	}
	if protocol, ok := errors.AsType[ws.ProtocolError](err); ok {
		return CloseError{Code: ws.StatusProtocolError, Reason: string(protocol), Cause: CauseProtocol}
	}
	if _, ok := errors.AsType[*PanicError](err); ok {
		return CloseError{Code: ws.StatusInternalServerError, Cause: CausePanic}
	}
	return CloseError{Code: ws.StatusInternalServerError, Cause: CauseHandlerError}
}

// closes reports whether e can end a connection: with a code that may travel, or
// without a close frame, which a handler's error is not for.
func (e CloseError) closes() bool {
	return e.Code == 0 || ValidCode(e.Code) || e.Code == ws.StatusAbnormalClosure && e.Cause != CauseHandler
}

// maxReason is the longest reason that fits a close frame (RFC 6455 §5.5).
const maxReason = ws.MaxControlFramePayloadSize - 2

// appendClose appends a whole close frame. Code 0 has no body (RFC 6455
// §5.5.1); a reason that does not fit is cut at a rune.
func appendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if code == 0 {
		return append(dst, 0x80|byte(ws.OpClose), 0)
	}
	if len(reason) > maxReason {
		n := maxReason
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	dst = append(dst, 0x80|byte(ws.OpClose), byte(2+len(reason)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// parseClose checks the body of a peer's close frame (RFC 6455 §5.5.1, §7.4).
// One of a single byte was refused with its header.
// No body is code 1005 by definition (§7.1.5); it is told apart by Code 0.
func parseClose(p []byte) (CloseError, error) {
	if len(p) == 0 {
		return CloseError{Peer: true, Cause: CausePeer}, nil
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(p))
	if !ValidCode(code) {
		return CloseError{}, ErrBadClose
	}
	if !utf8.Valid(p[2:]) {
		return CloseError{}, ErrInvalidUTF8
	}
	return CloseError{Code: code, Reason: string(p[2:]), Peer: true, Cause: CausePeer}, nil
}

// ValidCode reports whether an endpoint may send code in a close frame: the
// registered ones (RFC 6455 §7.4.1, IANA for 1012–1014) and the ranges for
// libraries and applications (§7.4.2). 1004, 1005, 1006 and 1015 never travel.
func ValidCode(code ws.StatusCode) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}
