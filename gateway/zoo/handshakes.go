package zoo

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// answer is what a good 101 says to a request.
type answer struct {
	accept   string // the value of Sec-WebSocket-Accept
	protocol string // the subprotocol chosen; empty: none
}

// guid is what the key is hashed with (RFC 6455 §1.3).
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func accept(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

const (
	statusLine = "HTTP/1.1 101 Switching Protocols"
	upgrade    = "Upgrade: websocket"
	connection = "Connection: Upgrade"
	acceptName = "Sec-WebSocket-Accept: "
)

// welcome is the message behind a wrong handshake: a client that delivers it has
// taken the handshake for a good one.
const welcome = "\x81\x07welcome"

// lines is a head of a status line, header lines and the empty line.
func (a answer) lines(status string, headers ...string) string {
	all := append([]string{status}, headers...)
	if a.protocol != "" {
		all = append(all, "Sec-WebSocket-Protocol: "+a.protocol)
	}
	return strings.Join(all, "\r\n") + "\r\n\r\n"
}

// good is the head of a good handshake.
func (a answer) good() string {
	return a.lines(statusLine, upgrade, connection, acceptName+a.accept)
}

// with makes heads of a good answer with more lines.
func with(more ...string) func(answer) []string {
	return func(a answer) []string {
		return []string{a.lines(statusLine, append([]string{upgrade, connection, acceptName + a.accept}, more...)...)}
	}
}

// of makes heads of other lines before Sec-WebSocket-Accept.
func of(status string, headers ...string) func(answer) []string {
	return func(a answer) []string {
		return []string{a.lines(status, append(headers, acceptName+a.accept)...)}
	}
}

// handshakes are the animals whose 101 is wrong, or strange. Each is followed by
// a message for those who take it.
var handshakes = []Animal{
	{Name: "accept-wrong", Section: "4.1", Does: "a Sec-WebSocket-Accept that was made of another key",
		Must: mustFail, Fits: fails, frames: []string{welcome},
		head: func(a answer) []string {
			return []string{a.lines(statusLine, upgrade, connection, acceptName+accept("AAAAAAAAAAAAAAAAAAAAAA=="))}
		}},
	{Name: "accept-missing", Section: "4.1", Does: "no Sec-WebSocket-Accept",
		Must: mustFail, Fits: fails, frames: []string{welcome},
		head: func(a answer) []string { return []string{a.lines(statusLine, upgrade, connection)} }},
	{Name: "accept-twice", Section: "11.3.3", Does: "Sec-WebSocket-Accept in two lines, the second of another key",
		Must: mustFail, Fits: fails, frames: []string{welcome},
		head: with(acceptName + accept("AAAAAAAAAAAAAAAAAAAAAA=="))},
	{Name: "upgrade-missing", Section: "4.1", Does: "no Upgrade header",
		Must: mustFail, Fits: fails, frames: []string{welcome}, head: of(statusLine, connection)},
	{Name: "upgrade-wrong", Section: "4.1", Does: "an upgrade to another protocol, h2c",
		Must: mustFail, Fits: fails, frames: []string{welcome}, head: of(statusLine, "Upgrade: h2c", connection)},
	{Name: "connection-missing", Section: "4.1", Does: "no Connection header",
		Must: mustFail, Fits: fails, frames: []string{welcome}, head: of(statusLine, upgrade)},
	{Name: "connection-wrong", Section: "4.1", Does: "a Connection header without Upgrade in its list",
		Must: mustFail, Fits: fails, frames: []string{welcome}, head: of(statusLine, upgrade, "Connection: keep-alive")},
	{Name: "status-200", Section: "4.1", Does: "all headers of a good 101, behind 200 OK",
		Must: mustFail, Fits: fails, frames: []string{welcome}, head: of("HTTP/1.1 200 OK", upgrade, connection)},
	{Name: "http-1.0", Section: "4.2.2", Does: "a 101 of HTTP/1.0, which knows neither 101 nor Upgrade",
		Must: "fail the connection or go on: the status line must have HTTP/1.1, but a client need not look",
		Fits: mayFail, frames: []string{welcome}, head: of("HTTP/1.0 101 Switching Protocols", upgrade, connection)},
	{Name: "extension-unasked", Section: "9.1", Does: "an extension that the client did not offer",
		Must: mustFail, Fits: []Outcome{Failed, Closed1010}, frames: []string{welcome}, head: with("Sec-WebSocket-Extensions: x-zoo")},
	{Name: "protocol-foreign", Section: "4.1", Does: "a subprotocol that the client did not offer",
		Must: mustFail, Fits: fails, frames: []string{welcome},
		head: func(a answer) []string {
			a.protocol = "x-zoo"
			return []string{a.good()}
		}},
	{Name: "headers-folded", Section: "4.1", Does: "a Connection header whose value begins on a line of its own (obs-fold)",
		Must: "read the fold as a space and go on, or fail the connection: never take it for a line of its own",
		Fits: mayFail, frames: []string{welcome}, head: of(statusLine, upgrade, "Connection:\r\n Upgrade")},
	{Name: "headers-oversized", Section: "10.4", Does: "512 KiB of further header lines before the end of the head",
		Must: "fail the connection or go on, and bound what it keeps",
		Fits: mayFail, frames: []string{welcome}, gap: tick, head: oversized},
	{Name: "headers-truncated", Section: "4.1", Does: "half a head and then the end of the stream",
		Must: mustFail, Fits: isLeft, ending: hangsUp,
		head: func(a answer) []string {
			whole := a.good()
			return []string{whole[:len(whole)-len("=\r\n\r\n")]}
		}},
	{Name: "headers-split", Section: "4.1", Does: "a good head in segments that end inside a line, a name, and a CR LF",
		Must: mustGoOn, Fits: goesOn, frames: []string{welcome}, gap: tick, head: split},
	{Name: "headers-strange", Section: "4.1", Does: "a good head in other letter cases, with a list in Connection and no spaces",
		Must: mustGoOn, Fits: goesOn, frames: []string{welcome},
		head: func(a answer) []string {
			return []string{a.lines(statusLine, "uPGRADE:WebSocket", "CONNECTION:keep-alive,upgrade", strings.ToLower(acceptName)+a.accept+"  ")}
		}},
	{Name: "frames-behind", Section: "4.1", Does: "the first frames in one segment with the 101",
		Must: mustGoOn, Fits: goesOn,
		head: func(a answer) []string { return []string{a.good() + welcome} }},
	{Name: "one-by-one", Section: "4.1", Does: "every byte of the head and of a message in a segment of its own",
		Must: mustGoOn, Fits: goesOn, frames: bytewise(welcome), gap: tick,
		head: func(a answer) []string { return bytewise(a.good()) }},
}

// oversized has the long lines between the good ones and the empty line.
func oversized(a answer) []string {
	start := strings.TrimSuffix(a.good(), "\r\n")
	all := []string{start}
	for range 32 {
		all = append(all, filler)
	}
	return append(all, "\r\n")
}

// filler is 16 KiB of header lines.
var filler = strings.Repeat("X-Zoo: "+strings.Repeat("z", 128-len("X-Zoo: \r\n"))+"\r\n", 128)

// split cuts a good head where careless parsers look for too much at once.
func split(a answer) []string {
	var all []string
	rest := a.good()
	for _, at := range []string{"HTT", "101 Sw", "Proto", "cols\r", "\nUpg", "rade:", " web", "\r\nConn", "Upgrade\r\n", "Accept:", "\r\n\r"} {
		i := strings.Index(rest, at) + len(at)
		all, rest = append(all, rest[:i]), rest[i:]
	}
	return append(all, rest)
}
