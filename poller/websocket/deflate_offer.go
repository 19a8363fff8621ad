package websocket

import (
	"bytes"
	"strconv"
)

// This file is the handshake of permessage-deflate: which of a client's offers is
// taken, and what is answered (RFC 7692 §5, §7.1).

// negotiate answers what the client offers. It returns the base-2 logarithm of
// the window to keep to when sending; 0: permessage-deflate was not agreed on.
func (c *Conn) negotiate(r *Request) (window int) {
	u := &c.up
	u.extension = u.extension[:0]
	if !c.compresses() {
		return 0
	}
	o, ok := r.offer()
	if !ok {
		return 0
	}
	// Both sides begin every message anew, whatever was offered: the server may
	// say so (§7.1.1.1, §7.1.1.2), and the client must keep to it.
	u.extension = append(u.extension, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"...)
	if window = o.window; window == 0 {
		window = windowMost
	} else { // §7.1.2.1: to accept it is to answer it
		u.extension = append(u.extension, "; server_max_window_bits="...)
		u.extension = strconv.AppendInt(u.extension, int64(window), 10)
	}
	u.extension = append(u.extension, "\r\n"...)
	return window
}

// compresses reports whether the route agrees on permessage-deflate.
func (c *Conn) compresses() bool {
	if c.rt.Compression == CompressionDefault {
		return c.routes.deflate.On
	}
	return c.rt.Compression == CompressionOn
}

// An offer is one of permessage-deflate.
type offer struct {
	window int   // server_max_window_bits, 0 when it is not there
	seen   uint8 // the parameters that were there, a bit for each
}

// offer is the first of the client's offers that we can keep to, in its order of
// preference, over all header lines. A list that is malformed offers nothing.
func (r *Request) offer() (first offer, found bool) {
	good := true
	r.Headers(func(name, list []byte) bool {
		if !isName(name, "sec-websocket-extensions") {
			return true
		}
		for list = nextElement(list); len(list) > 0 && good; list = nextElement(list) {
			var o offer
			var ours bool
			if list, ours, good = o.parse(list); ours && !found {
				first, found = o, true
			}
		}
		return good
	})
	return first, found && good
}

// nextElement is list without the commas and white space in front of its next
// element.
func nextElement(list []byte) []byte { return bytes.TrimLeft(list, " \t,") }

// parse reads the extension at the front of list (RFC 6455 §9.1). ours: it is
// permessage-deflate with parameters that can be kept to; good: it is well-formed.
func (o *offer) parse(list []byte) (rest []byte, ours, good bool) {
	name, rest := cutToken(list)
	ours, good = string(name) == "permessage-deflate", len(name) > 0
	for good && len(rest) > 0 && rest[0] != ',' {
		if rest[0] != ';' {
			return rest, false, false
		}
		var value []byte
		name, rest = cutToken(rest[1:])
		if good = len(name) > 0; len(rest) > 0 && rest[0] == '=' && good {
			value, rest, good = cutValue(rest[1:])
		}
		ours = ours && o.take(name, value)
	}
	return rest, ours && good, good
}

// take takes a parameter of permessage-deflate; value is nil when it has none. It
// declines the offer for one that is unknown, or there twice, or has no such value
// (RFC 7692 §7.1).
func (o *offer) take(name, value []byte) bool {
	var bit uint8
	ok := value == nil
	switch string(name) {
	case "server_no_context_takeover":
		bit = 1
	case "client_no_context_takeover":
		bit = 2
	case "server_max_window_bits":
		// A window of 8 bits is declined: zlib has none for raw DEFLATE, so no
		// client can mean it, and State has no number for it.
		bit, o.window = 4, windowBits(value)
		ok = o.window >= windowLeast
	case "client_max_window_bits":
		// A hint that its window can be bounded. It needs no answer: we inflate
		// with the largest (§7.1.2.2).
		bit = 8
		ok = ok || windowBits(value) > 0
	}
	if bit == 0 || o.seen&bit != 0 {
		return false
	}
	o.seen |= bit
	return ok
}

// windowBits is the value of a parameter that says how large a window is, 8 to 15
// without leading zeros; 0: it is none.
func windowBits(v []byte) int {
	switch {
	case len(v) == 1 && (v[0] == '8' || v[0] == '9'):
		return int(v[0] - '0')
	case len(v) == 2 && v[0] == '1' && v[1] >= '0' && v[1] <= '5':
		return 10 + int(v[1]-'0')
	}
	return 0
}

// cutToken cuts a token and the white space around it off b. It is empty when
// there is none.
func cutToken(b []byte) (token, rest []byte) {
	b = bytes.TrimLeft(b, " \t")
	n := 0
	for n < len(b) && tokenBytes[b[n]] {
		n++
	}
	return b[:n], bytes.TrimLeft(b[n:], " \t")
}

// cutValue cuts a parameter's value off b: a token, bare or in quotes (RFC 6455
// §9.1).
func cutValue(b []byte) (value, rest []byte, good bool) {
	b = bytes.TrimLeft(b, " \t")
	if len(b) == 0 || b[0] != '"' {
		value, rest = cutToken(b)
		return value, rest, len(value) > 0
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return value, bytes.TrimLeft(b[i+1:], " \t"), isToken(value)
		case b[i] == '\\' && i+1 < len(b):
			i++
		}
		value = append(value, b[i])
	}
	return nil, nil, false
}
