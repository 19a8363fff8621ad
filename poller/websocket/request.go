package websocket

import (
	"bytes"
	"iter"
	"net/netip"
)

// A Request is the view of one request's head: slices of the loop's buffer,
// dead when the handler returns. What it returns as a string is a copy.
type Request struct {
	// Slices of the head.
	method, target []byte
	lines          []byte // the header lines, each with its CR LF
	host, origin   []byte // nil: none came
	key, version   []byte
	length         []byte

	// What the headers say.
	websocket bool // Upgrade lists websocket
	upgrade   bool // Connection lists upgrade
	close     bool // Connection lists close
	body      bool // Content-Length > 0, or Transfer-Encoding
	offers    bool // Sec-WebSocket-Protocol came

	// What the target says; path is of the loop's own memory when it had escapes.
	path, query []byte
	route       *compiled

	conn *Conn
}

// Method is GET or HEAD.
func (r *Request) Method() string {
	if r.isHead() {
		return "HEAD"
	}
	return "GET"
}

func (r *Request) isHead() bool { return string(r.method) == "HEAD" }

// Path is the target's path, its percent-encoding decoded once. An encoded
// slash is a slash; neither "." and ".." nor empty segments mean anything.
func (r *Request) Path() string { return string(r.path) }

// RawQuery is what came behind the question mark, as it came.
func (r *Request) RawQuery() string { return string(r.query) }

// Host is the host and port that the client asked for: the target's if it had
// one, else the Host header's.
func (r *Request) Host() string { return string(r.host) }

// Remote is the peer's address, Local the one that it connected to; zero when
// the kernel no longer knows it, and for what has no IP address.
func (r *Request) Remote() netip.AddrPort { return r.conn.loop.Remote(r.conn) }

// Local is the address that the peer connected to.
func (r *Request) Local() netip.AddrPort { return r.conn.loop.Local(r.conn) }

// TLS is what the connection's encryption was negotiated to be; false: it is
// plain.
func (r *Request) TLS() (TLS, bool) { return r.conn.TLS() }

// Pattern is the pattern of the route that was found.
func (r *Request) Pattern() string {
	if r.route == nil {
		return ""
	}
	return r.route.pattern
}

// Param is the part of the path that stands for {name} in the route's pattern;
// empty when the pattern has no such parameter.
func (r *Request) Param(name string) string {
	if r.route == nil {
		return ""
	}
	rest, segments := r.path, r.route.segments
	if r.route.to != nil { // an alias: its parameters are those of what it stands for
		rest, segments = r.route.to, r.route.toSegments
	}
	for _, s := range segments {
		var v []byte
		if v, rest, _ = cutSegment(rest, s.kind); s.kind != literal && s.text == name {
			return string(v)
		}
	}
	return ""
}

// Header is the value of the first header line of that name, which is given in
// any case, and whether there is one.
func (r *Request) Header(name string) (value string, ok bool) {
	r.Headers(func(n, v []byte) bool {
		if len(n) == len(name) && foldEqual(n, name) {
			value, ok = string(v), true
		}
		return !ok
	})
	return value, ok
}

// Headers calls f with every header line, in order, until f returns false. The
// names are as the client wrote them; the slices must not be kept or changed.
func (r *Request) Headers(f func(name, value []byte) bool) {
	for rest := r.lines; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		line := rest[:end-1]
		rest = rest[end+1:]
		i := bytes.IndexByte(line, ':')
		v := trim(line[i+1:])
		if !f(line[:i:i], v[:len(v):len(v)]) {
			return
		}
	}
}

// Query is the value of the first query parameter of that name, decoded as a
// form is, and whether there is one.
func (r *Request) Query(name string) (value string, ok bool) {
	r.Queries(func(n, v string) bool {
		if n == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// Queries calls f with every query parameter, in order, until f returns false:
// the client's own, then those of the alias that it asked for. They are decoded
// as a form is: plus is a space, and a percent sign that begins no escape stands
// for itself.
func (r *Request) Queries(f func(name, value string) bool) {
	if !queries(r.query, f) || r.route == nil {
		return
	}
	queries(r.route.query, f)
}

// Queries is a sequence of the parameters in the text of a query, read as
// Request.Queries reads one.
func Queries(query string) iter.Seq2[string, string] {
	return func(f func(name, value string) bool) { queries([]byte(query), f) }
}

// queries reports whether f wants more.
func queries(rest []byte, f func(name, value string) bool) bool {
	for len(rest) > 0 {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte{'&'})
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte{'='})
		if !f(formDecode(name), formDecode(value)) {
			return false
		}
	}
	return true
}

func formDecode(v []byte) string {
	if bytes.IndexByte(v, '%') < 0 && bytes.IndexByte(v, '+') < 0 {
		return string(v)
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		b := v[i]
		if b == '+' {
			b = ' '
		} else if c, ok := unescape(v[i:]); ok {
			b = c
			i += 2
		}
		out = append(out, b)
	}
	return string(out)
}

// unescape decodes the escape, %XX, at the front of v.
func unescape(v []byte) (b byte, ok bool) {
	if len(v) < 3 || v[0] != '%' {
		return 0, false
	}
	hi, lo := hexValue(v[1]), hexValue(v[2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

// hexValue is 16 or more for what is no hexadecimal digit.
func hexValue(b byte) byte {
	switch {
	case b >= '0' && b <= '9':
		return b - '0'
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10
	}
	return 0xff
}

func foldEqual(name []byte, other string) bool {
	for i, b := range name {
		if lower(b) != lower(other[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b | 0x20
	}
	return b
}

// resolve takes the target apart (RFC 9112 §3.2): origin form, or absolute form,
// whose authority replaces the Host header. Decoded paths are put into scratch.
func (r *Request) resolve(scratch []byte) ([]byte, *Refusal) {
	t := r.target
	if t[0] != '/' {
		var err *Refusal
		if t, err = r.authority(t); err != nil {
			return scratch, err
		}
	}
	path := t
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		path, r.query = t[:i], t[i+1:]
	}
	if len(path) == 0 {
		path = slash
	}
	if r.path = path; bytes.IndexByte(path, '%') < 0 {
		return scratch, nil
	}
	scratch = scratch[:0]
	for i := 0; i < len(path); i++ {
		b := path[i]
		if b == '%' {
			var ok bool
			if b, ok = unescape(path[i:]); !ok {
				return scratch, errTarget
			}
			i += 2
		}
		scratch = append(scratch, b)
	}
	r.path = scratch
	return scratch, nil
}

var slash = []byte("/")

// authority cuts scheme and authority off an absolute-form target.
func (r *Request) authority(t []byte) ([]byte, *Refusal) {
	scheme, rest, _ := bytes.Cut(t, []byte("://"))
	if !isName(scheme, "http") && !isName(scheme, "https") && !isName(scheme, "ws") && !isName(scheme, "wss") {
		return nil, errTarget
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if !isAuthority(rest[:end]) { // user information is refused: RFC 9110 §4.2.4
		return nil, errTarget
	}
	r.host = rest[:end:end]
	return rest[end:], nil
}

// plain reports whether the request asks for an answer rather than an upgrade
// (RFC 6455 §4.2.1): then its other headers have nothing to say.
func (r *Request) plain() bool { return r.isHead() || !r.websocket || !r.upgrade }

// check refuses a whole head that cannot be answered. One that has a body is,
// because where the next request begins would be a matter of opinion.
func (r *Request) check() *Refusal {
	switch {
	case r.host == nil:
		return errNoHost
	case !isAuthority(r.host):
		return errHost
	case string(r.method) != "GET" && string(r.method) != "HEAD":
		return errMethod
	case r.body:
		return errBody
	}
	return nil
}

// checkUpgrade judges version and key (RFC 6455 §4.2.1, §4.4).
func (r *Request) checkUpgrade() *Refusal {
	if string(r.version) != "13" {
		return errVersion
	}
	if !isKey(r.key) {
		return errKey
	}
	return nil
}

// isKey reports whether v is the base64 of 16 bytes.
func isKey(v []byte) bool {
	if len(v) != keyLen || v[22] != '=' || v[23] != '=' {
		return false
	}
	for _, b := range v[:22] {
		if !base64Bytes[b] {
			return false
		}
	}
	return true
}

const keyLen = 24

var base64Bytes = set("+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

// isFrom reports whether the request may come from where it says. One without
// an Origin header comes from no page of a browser, and may.
func (r *Request) isFrom(origins []string) bool {
	if len(origins) == 0 || r.origin == nil {
		return true
	}
	for _, o := range origins {
		if o == "*" || len(o) == len(r.origin) && foldEqual(r.origin, o) {
			return true
		}
	}
	return false
}

// choose picks the first subprotocol of the client's that is among ours, in
// exact case, over all lines of its list (RFC 6455 §4.2.2, §11.3.4).
func (r *Request) choose(ours []string) (chosen []byte, err *Refusal) {
	r.Headers(func(name, list []byte) bool {
		if !isName(name, "sec-websocket-protocol") {
			return true
		}
		for len(list) > 0 && err == nil {
			var v []byte
			v, list = element(list)
			switch {
			case len(v) == 0: // empty elements of a list are ignored
			case !isToken(v):
				err = errProtocols
			case chosen == nil && speaks(ours, v):
				chosen = v
			}
		}
		return err == nil
	})
	return chosen, err
}

func speaks(ours []string, v []byte) bool {
	for _, p := range ours {
		if p == "*" || p == string(v) {
			return true
		}
	}
	return false
}

// matches reports whether If-None-Match lists the entity tag, by weak
// comparison (RFC 9110 §13.1.2).
func (r *Request) matches(etag string) (found bool) {
	tag := bytes.TrimPrefix([]byte(etag), []byte("W/"))
	r.Headers(func(name, list []byte) bool {
		if isName(name, "if-none-match") {
			found = found || tagIn(list, tag)
		}
		return !found
	})
	return found
}

// tagIn looks for tag among entity tags, which may have commas inside.
func tagIn(list, tag []byte) bool {
	if string(list) == "*" {
		return true
	}
	for {
		list = bytes.TrimPrefix(bytes.TrimLeft(list, " \t,"), []byte("W/"))
		if len(list) == 0 || list[0] != '"' {
			return false
		}
		end := bytes.IndexByte(list[1:], '"') + 2
		if end < 2 {
			return false
		}
		if bytes.Equal(list[:end], tag) {
			return true
		}
		list = list[end:]
	}
}
