package websocket

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Bounds of a head that no flag moves (limits.md A2).
const (
	maxTarget = 4 << 10
	maxLines  = 100
	maxMethod = 32 // longer than any registered; noise is told apart early
	maxBlank  = 4  // bytes of empty lines before a request (RFC 9112 §2.2)
	// tlsHandshake is how a client begins that means another port: the type of a
	// TLS record (RFC 8446 §5.1).
	tlsHandshake = 0x16
)

// What a head that breaks RFC 9112 or RFC 9110 is refused with.
var (
	errNotHTTP    = &Refusal{Status: 400, Text: "this is not HTTP/1.1", Label: RejectNotHTTP}
	errIsTLS      = &Refusal{Status: 400, Text: "this port speaks plain HTTP: use http:// or ws://", Label: RejectNotHTTP}
	errProxy      = &Refusal{Status: 400, Text: "the PROXY protocol is not spoken here", Label: RejectProxy}
	errPreface    = &Refusal{Status: 400, Text: "a PROXY protocol header of a trusted proxy must come first", Label: RejectProxy}
	errVersion1   = &Refusal{Status: 505, Text: "only HTTP/1.1 is spoken here", Label: RejectHTTPVersion}
	errTarget     = &Refusal{Status: 400, Text: "bad request target", Label: RejectBadRequest}
	errFragment   = &Refusal{Status: 400, Text: "fragment in the request target", Label: RejectBadRequest}
	errLongTarget = &Refusal{Status: 414, Text: "request target too long", Label: RejectTooLarge}
	errTooLarge   = &Refusal{Status: 431, Text: "request head too large", Label: RejectTooLarge}
	errManyLines  = &Refusal{Status: 431, Text: "too many header lines", Label: RejectTooLarge}
	errBareLF     = &Refusal{Status: 400, Text: "line that does not end in CR LF", Label: RejectBadRequest}
	errFold       = &Refusal{Status: 400, Text: "folded header line", Label: RejectBadRequest}
	errName       = &Refusal{Status: 400, Text: "bad header name", Label: RejectBadRequest}
	errValue      = &Refusal{Status: 400, Text: "control byte in a header", Label: RejectBadRequest}
	errTwice      = &Refusal{Status: 400, Text: "header that may come once came twice", Label: RejectBadRequest}
	errNoHost     = &Refusal{Status: 400, Text: "no Host header", Label: RejectBadRequest}
	errHost       = &Refusal{Status: 400, Text: "bad Host header", Label: RejectBadRequest}
	errBadLength  = &Refusal{Status: 400, Text: "bad Content-Length header", Label: RejectBadRequest}
	errBody       = &Refusal{Status: 400, Text: "request with a body", Label: RejectBody}
)

// scan reads the head at the front of in, of which looked bytes were seen
// before. n is its length; 0: it is not whole yet. What it refuses, and when,
// depends on the bytes alone, not on how they were cut: the request line is
// judged byte by byte, a header line when its end is there.
func (r *Request) scan(in []byte, looked, maxHead int) (n int, err *Refusal) {
	whole := len(in) < maxHead
	in = in[:min(len(in), maxHead)]
	*r = Request{}
	n, err = r.line(in)
	if n > 0 && (looked == 0 || bytes.IndexByte(in[min(looked, len(in)):], '\n') >= 0) {
		n, err = r.fields(in, n)
	} else {
		n = 0
	}
	if n == 0 && err == nil && !whole {
		err = errTooLarge
	}
	return n, err
}

// line reads the request line (RFC 9112 §3), from left to right.
func (r *Request) line(in []byte) (n int, err *Refusal) {
	for n < len(in) && n < maxBlank && in[n] == "\r\n"[n&1] {
		n++
	}
	if n&1 != 0 && n < len(in) {
		return 0, errNotHTTP // a bare CR
	}
	at := n
	for n < len(in) && tokenBytes[in[n]] && n-at < maxMethod {
		n++
	}
	if n == len(in) {
		return 0, nil
	}
	if n == 0 && in[0] == tlsHandshake {
		return 0, errIsTLS
	}
	if n == at && n == maxBlank && in[n] == 0 { // the rest of version 2's signature has nothing to add
		return 0, errProxy
	}
	if r.method = in[at:n]; n == at || in[n] != ' ' {
		return 0, errNotHTTP
	}
	if string(r.method) == "PROXY" { // version 1 of the PROXY protocol
		return 0, errProxy
	}
	if string(r.method) == "PRI" { // HTTP/2's preface (RFC 9113 §3.4)
		return 0, errNotHTTP
	}
	at, n = n+1, 0
	size, err := targetLen(in[at:])
	if err != nil || at+size == len(in) {
		return 0, err
	}
	r.target = in[at : at+size : at+size]
	if n, err = versionLen(in[at+size:]); n == 0 || err != nil {
		return 0, err
	}
	return at + size + n, nil
}

// targetLen is the length of the request target at the front of in: visible
// ASCII, ended by a space. It is all of in when the end is not there yet.
func targetLen(in []byte) (int, *Refusal) {
	for i, b := range in {
		switch {
		case b == ' ' && i > 0:
			return i, nil
		case i == maxTarget:
			return 0, errLongTarget
		case b == '#': // RFC 9112 §3.2: no form of a target has one
			return 0, errFragment
		case b <= ' ' || b >= 0x7f:
			return 0, errTarget
		}
	}
	return len(in), nil
}

// versionLen reads " HTTP/1.1\r\n": its length, 0 when it is not whole. A higher
// minor version is processed as 1.1 (RFC 9110 §2.5).
func versionLen(in []byte) (int, *Refusal) {
	const form = " HTTP/1.1\r\n"
	if len(in) >= len(form) && string(in[:len(form)]) == form {
		return len(form), nil
	}
	for i, b := range in[:min(len(in), len(form))] {
		digit := b >= '0' && b <= '9'
		switch {
		case i != 6 && i != 8 && b != form[i], (i == 6 || i == 8) && !digit:
			return 0, errNotHTTP
		case i == 8 && (in[6] != '1' || b == '0'):
			return 0, errVersion1
		}
	}
	if len(in) < len(form) {
		return 0, nil
	}
	return len(form), nil
}

// fields reads the header lines at in[at:] up to the empty one.
func (r *Request) fields(in []byte, at int) (n int, err *Refusal) {
	start := at
	for lines := 0; ; lines++ {
		i := bytes.IndexByte(in[at:], '\n')
		if i < 0 {
			return 0, nil
		}
		line := in[at : at+i]
		if i == 0 || line[i-1] != '\r' {
			return 0, errBareLF
		}
		if i == 1 {
			r.lines = in[start:at:at]
			return at + 2, nil
		}
		if lines == maxLines {
			return 0, errManyLines
		}
		if err := r.field(line[:i-1]); err != nil {
			return 0, err
		}
		at += i + 1
	}
}

// field checks one header line and notes what decides on the request.
func (r *Request) field(line []byte) *Refusal {
	i := 0
	for i < len(line) && tokenBytes[line[i]] {
		i++
	}
	if i == 0 && (line[0] == ' ' || line[0] == '\t') {
		return errFold
	}
	if i == 0 || i == len(line) || line[i] != ':' { // no space before the colon: RFC 9112 §5.1
		return errName
	}
	value := line[i+1:]
	if !clean(value) {
		return errValue
	}
	return r.note(line[:i], trim(value))
}

// note keeps the headers that the handshake looks at.
func (r *Request) note(name, value []byte) *Refusal {
	switch len(name) {
	case len("Host"):
		if isName(name, "host") {
			return once(&r.host, value)
		}
	case len("Origin"):
		if isName(name, "origin") {
			return once(&r.origin, value)
		}
	case len("Upgrade"):
		if isName(name, "upgrade") {
			r.websocket = r.websocket || hasToken(value, "websocket")
		}
	case len("Connection"):
		if isName(name, "connection") {
			r.upgrade = r.upgrade || hasToken(value, "upgrade")
			r.close = r.close || hasToken(value, "close")
		}
	case len("Content-Length"):
		if isName(name, "content-length") {
			return r.noteLength(value)
		}
	case len("Sec-WebSocket-Key"): // and Transfer-Encoding
		if isName(name, "sec-websocket-key") {
			return once(&r.key, value)
		}
		if isName(name, "transfer-encoding") {
			r.body = true
		}
	case len("Sec-WebSocket-Version"):
		if isName(name, "sec-websocket-version") {
			return once(&r.version, value)
		}
	case len("Sec-WebSocket-Protocol"):
		if isName(name, "sec-websocket-protocol") {
			r.offers = true
		}
	}
	return nil
}

// once keeps the value of a header that may come once. Of two, one may be what
// another program on the way believed (RFC 9112 §11.2).
func once(at *[]byte, value []byte) *Refusal {
	if *at != nil {
		return errTwice
	}
	*at = value[:len(value):len(value)]
	return nil
}

// noteLength takes a Content-Length: digits, once (RFC 9112 §6.3).
func (r *Request) noteLength(value []byte) *Refusal {
	if err := once(&r.length, value); err != nil {
		return err
	}
	if len(value) == 0 || len(value) > 18 {
		return errBadLength
	}
	for _, b := range value {
		if b < '0' || b > '9' {
			return errBadLength
		}
		r.body = r.body || b != '0'
	}
	return nil
}

// clean reports whether v has no control byte but tabs (RFC 9110 §5.5). It
// looks at eight bytes at a time.
func clean(v []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(v) >= 8; v = v[8:] {
		x := binary.LittleEndian.Uint64(v)
		del := x ^ 0x7f*ones
		// A byte's top bit is set where it is below 0x20, or 0x7f, and sometimes
		// above such a byte: then the bytes are looked at one by one.
		if ((x-0x20*ones)&^x|(del-ones)&^del)&tops != 0 && !cleanBytes(v[:8]) {
			return false
		}
	}
	return cleanBytes(v)
}

func cleanBytes(v []byte) bool {
	for _, b := range v {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// trim cuts optional white space (RFC 9110 §5.6.3) off both ends.
func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// isName reports whether the token name is lower, a name of lower-case letters
// and dashes, without regard to case.
func isName(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, b := range name {
		if b|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// hasToken reports whether lower is an element of the list, in any case.
func hasToken(list []byte, lower string) bool {
	for len(list) > 0 {
		var v []byte
		if v, list = element(list); isName(v, lower) {
			return true
		}
	}
	return false
}

// element cuts the first element off a list (RFC 9110 §5.6.1).
func element(list []byte) (v, rest []byte) {
	i := bytes.IndexByte(list, ',')
	if i < 0 {
		return trim(list), nil
	}
	return trim(list[:i]), list[i+1:]
}

// isToken reports whether v is a token (RFC 9110 §5.6.2).
func isToken(v []byte) bool {
	for _, b := range v {
		if !tokenBytes[b] {
			return false
		}
	}
	return len(v) > 0
}

var tokenBytes = set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

// nameBytes are those of a registered name (RFC 3986 §3.2.2), without escapes.
var nameBytes = set("-._~!$&'()*+,;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

func set(members string) (t [256]bool) {
	for _, b := range []byte(members) {
		t[b] = true
	}
	return t
}

// isAuthority reports whether v is a host and perhaps a port (RFC 9110 §7.2).
func isAuthority(v []byte) bool {
	end := bytes.LastIndexByte(v, ':')
	if len(v) > 0 && v[0] == '[' {
		end = bytes.IndexByte(v, ']') + 1
		if end == 0 || !isIPv6(v[1:end-1]) {
			return false
		}
		return end == len(v) || v[end] == ':' && isPort(v[end+1:])
	}
	if end >= 0 && !isPort(v[end+1:]) {
		return false
	}
	if end < 0 {
		end = len(v)
	}
	for _, b := range v[:end] {
		if !nameBytes[b] {
			return false
		}
	}
	return end > 0
}

func isIPv6(v []byte) bool {
	a, err := netip.ParseAddr(string(v))
	return err == nil && a.Is6() && a.Zone() == ""
}

func isPort(v []byte) bool {
	for _, b := range v {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(v) <= 5
}
