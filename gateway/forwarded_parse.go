package main

import "strings"

// parseForwarded reads the value of a Forwarded header (RFC 7239 §4): who is
// named by "for" in each of its elements, in order. What breaks its grammar is
// not repaired: a quotation mark that a client has opened would swallow what the
// proxies wrote behind it.
func parseForwarded(value string) (nodes []node, err error) {
	p := forwardedParser{rest: value}
	for {
		p.space()
		if p.rest == "" {
			return nodes, nil
		}
		if p.take(',') { // empty elements of a list are ignored (RFC 9110 §5.6.1)
			continue
		}
		n, ok := p.element()
		if !ok || p.rest != "" && !p.take(',') {
			return nil, errForwarded
		}
		nodes = append(nodes, n)
	}
}

// forwardedParser holds what has not been read.
type forwardedParser struct{ rest string }

// element reads name=value pairs with semicolons between them, up to a comma or
// the end. Each name may be there once.
func (p *forwardedParser) element() (n node, ok bool) {
	seen := map[string]bool{}
	for {
		name := strings.ToLower(p.token())
		if name != "" { // forwarded-element has empty pairs, too
			value, ok := p.value()
			if !ok || seen[name] {
				return "", false
			}
			seen[name] = true
			if name == "for" {
				n = node(value)
			}
		}
		p.space()
		if !p.take(';') {
			return n, true
		}
		p.space()
	}
}

// value reads the equals sign and a token or a quoted string.
func (p *forwardedParser) value() (v string, ok bool) {
	if !p.take('=') {
		return "", false
	}
	if p.take('"') {
		return p.quoted()
	}
	v = p.token()
	return v, v != ""
}

// quoted reads the rest of a quoted string (RFC 9110 §5.6.4).
func (p *forwardedParser) quoted() (v string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case '\\':
			if i++; i == len(p.rest) {
				return "", false
			}
		}
		b.WriteByte(p.rest[i])
	}
	return "", false
}

// token reads as much of a token as there is (RFC 9110 §5.6.2).
func (p *forwardedParser) token() (t string) {
	n := 0
	for n < len(p.rest) && (isAlphaNumeric(p.rest[n]) || strings.IndexByte("!#$%&'*+-.^_`|~", p.rest[n]) >= 0) {
		n++
	}
	t, p.rest = p.rest[:n], p.rest[n:]
	return t
}

// space skips optional white space.
func (p *forwardedParser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take skips a byte, if it is the next one.
func (p *forwardedParser) take(b byte) bool {
	if p.rest == "" || p.rest[0] != b {
		return false
	}
	p.rest = p.rest[1:]
	return true
}
