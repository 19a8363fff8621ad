package websocket

import (
	"fmt"
	"strconv"
)

// Reject is the label under which a refused request is counted. The list is
// closed.
type Reject uint8

// The labels, in the order of their counters.
const (
	RejectHandler     Reject = iota // a handler refused, or failed
	RejectTooLarge                  // head, target or number of lines over its limit
	RejectBadRequest                // the head breaks RFC 9112 or RFC 9110
	RejectBody                      // the request has a body
	RejectMethod                    // neither GET nor HEAD
	RejectVersion                   // not version 13 of the protocol
	RejectKey                       // no good Sec-WebSocket-Key
	RejectPath                      // no such route
	RejectOrigin                    // a page that may not connect
	RejectNotHTTP                   // TLS, HTTP/2 or noise
	RejectHTTPVersion               // not HTTP/1.1
	RejectProtocol                  // no subprotocol that a Strict route speaks
	RejectUpgrade                   // a plain request to a WebSocket route
	RejectServer                    // the mover had no place for it
	RejectProxy                     // a PROXY protocol header where none may be, or none where one must be
	RejectTLS                       // no handshake of TLS, or a bad one, where TLS is spoken
	RejectTLSTimeout                // a handshake of TLS that did not end in time
	Rejects                         // how many there are
)

var rejectLabels = [Rejects]string{
	"handler", "too_large", "bad_request", "body", "method", "version", "key", "path",
	"origin", "not_http", "http_version", "protocol", "upgrade", "server", "proxy",
	"tls", "tls_timeout",
}

// String returns the label used in counters and logs.
func (r Reject) String() string { return rejectLabels[r] }

// A Refusal is the answer to a request that gets neither an upgrade nor a page.
// It is written with Connection: close, and then returned as the error that
// ends the connection: nothing behind it is looked at. The mover sends it,
// lingers and closes.
type Refusal struct {
	Status     int
	Text       string // the body, in a few words of ours
	Label      Reject
	RetryAfter int   // seconds; 0: no such header
	Err        error // what a handler returned, for the log; the client never sees it
}

// What a good head is refused with.
var (
	errMethod    = &Refusal{Status: 405, Text: "only GET and HEAD are served", Label: RejectMethod}
	errVersion   = &Refusal{Status: 426, Text: "only version 13 of WebSocket is spoken", Label: RejectVersion}
	errKey       = &Refusal{Status: 400, Text: "bad Sec-WebSocket-Key header", Label: RejectKey}
	errPath      = &Refusal{Status: 404, Text: "no such path", Label: RejectPath}
	errNoSocket  = &Refusal{Status: 404, Text: "no WebSocket on this path", Label: RejectPath}
	errOrigin    = &Refusal{Status: 403, Text: "this origin may not connect", Label: RejectOrigin}
	errProtocols = &Refusal{Status: 400, Text: "bad Sec-WebSocket-Protocol header", Label: RejectBadRequest}
	errStrict    = &Refusal{Status: 400, Text: "none of these subprotocols is spoken", Label: RejectProtocol}
	errFull      = &Refusal{Status: 503, Text: "too many connections", Label: RejectServer, RetryAfter: 5}
	errCrowd     = &Refusal{Status: 429, Text: "too many connections from this address", Label: RejectServer, RetryAfter: 5}
	errUpgrade   = &Refusal{Status: 426, Text: "this path speaks WebSocket only", Label: RejectUpgrade}
)

// errRefused is how a Refusal ends its connection.
var errRefused = CloseError{Code: ErrHTTPDone.Code, Reason: "request refused", Cause: CauseHTTP}

// Refuse makes the error with which Upgrade or HTTP refuses a request: a status
// from 200 to 599 and a short reason, which the client gets to read. Any of them
// is a refusal of the upgrade, which 101 alone accepts (RFC 6455 §4.1); a redirect
// gets its Location by Conn.AddHeader. It panics at another status. A 426 gets the
// headers it must have.
func Refuse(status int, reason string) error {
	if !refuses(status) {
		panic(fmt.Sprintf("websocket: Refuse with status %d", status))
	}
	return &Refusal{Status: status, Text: reason, Label: RejectHandler}
}

func refuses(status int) bool { return status >= 200 && status <= 599 }

// refusal is what the mover has its request refused with.
func (s *State) refusal() *Refusal {
	if s.flags&flagCrowd != 0 {
		return errCrowd
	}
	return errFull
}

// Error implements error.
func (f *Refusal) Error() string {
	if f.Err != nil {
		return fmt.Sprintf("websocket: request refused: %d (%s): %v", f.Status, f.Label, f.Err)
	}
	return fmt.Sprintf("websocket: request refused: %d (%s): %s", f.Status, f.Label, f.Text)
}

// Unwrap says first how the connection ends: without a close frame.
func (f *Refusal) Unwrap() []error { return []error{errRefused, f.Err} }

// append appends the whole response: added are more header lines, listing what
// the body of a 404 says, head that the body is left out.
func (f *Refusal) append(dst, added []byte, listing string, head bool) []byte {
	text := f.Text
	if f == errPath {
		text = listing
	}
	dst = appendStatus(dst, f.Status)
	dst = append(dst, f.connection()...)
	if f.RetryAfter > 0 {
		dst = append(dst, "Retry-After: "...)
		dst = strconv.AppendInt(dst, int64(f.RetryAfter), 10)
		dst = append(dst, "\r\n"...)
	}
	if f.Status == 205 || bodiless(f.Status) { // RFC 9110 §15.3.6: a 205 has no content
		dst = append(dst, added...)
		return append(dst, "\r\n"...)
	}
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len("400 ")+len(statusText(f.Status))+len(": ")+len(text)+len("\n")), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, added...)
	dst = append(dst, "\r\n"...)
	if head {
		return dst
	}
	dst = strconv.AppendInt(dst, int64(f.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, statusText(f.Status)...)
	dst = append(dst, ": "...)
	dst = append(dst, text...)
	return append(dst, '\n')
}

// connection is the Connection header and what the status must have beside it.
// Who sends Upgrade lists it in Connection (RFC 9110 §7.8).
func (f *Refusal) connection() string {
	switch f.Status {
	case 405: // RFC 9110 §15.5.6
		return "Connection: close\r\nAllow: GET, HEAD\r\n"
	case 426: // RFC 9110 §15.5.22, RFC 6455 §4.4
		return "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	return "Connection: close\r\n"
}

func appendStatus(dst []byte, status int) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, statusText(status)...)
	return append(dst, "\r\n"...)
}

// statusText is the reason phrase of a status (RFC 9110 §15); a client does not
// look at it, so the rest of the registry goes by its class.
func statusText(status int) string {
	if s, ok := statusTexts[status]; ok {
		return s
	}
	return statusTexts[status/100]
}

var statusTexts = map[int]string{
	2: "Success", 3: "Redirection", 4: "Client Error", 5: "Server Error",
	200: "OK", 204: "No Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
	307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 414: "URI Too Long",
	417: "Expectation Failed", 418: "I'm a teapot", 421: "Misdirected Request", 426: "Upgrade Required",
	429: "Too Many Requests", 431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Gateway Timeout", 505: "HTTP Version Not Supported", 511: "Network Authentication Required",
}
