package websocket

import (
	"errors"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// sampleAccept answers the key of RFC 6455 §1.3.
const sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// head makes a request of a request line and header lines.
func head(line string, fields ...string) string {
	return line + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

const (
	host    = "Host: example.com"
	upgrade = "Upgrade: websocket"
	connect = "Connection: Upgrade"
	key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	version = "Sec-WebSocket-Version: 13"
)

// wsHead is a good upgrade of target with more header lines.
func wsHead(target string, more ...string) string {
	return head("GET "+target+" HTTP/1.1", append([]string{host, upgrade, connect, key, version}, more...)...)
}

func frame(text string) string {
	return string(ws.MustCompileFrame(ws.MaskFrameWith(ws.NewTextFrame([]byte(text)), [4]byte{1, 2, 3, 4})))
}

func page(w *Response, r *Request) error {
	w.Type, w.Body = "text/plain", []byte(r.Path()+" "+r.RawQuery())
	return nil
}

// testRoutes are what the tables below talk to.
func testRoutes(t testing.TB) *Routes {
	return mustCompile(t, map[string]Route{
		"/echo":    {Message: echoBack},
		"/both":    {Message: echoBack, HTTP: page},
		"/page":    {HTTP: page},
		"/chat":    {Message: echoBack, Protocols: []string{"chat", "superchat"}},
		"/strict":  {Message: echoBack, Protocols: []string{"chat"}, Strict: true},
		"/any":     {Message: echoBack, Protocols: []string{"*"}},
		"/home":    {Message: echoBack, Origins: []string{"https://Example.com", "http://localhost:9998"}},
		"/no":      {Upgrade: func(*Conn, *Request) error { return Refuse(503, "not today") }},
		"/fails":   {Message: echoBack, Upgrade: func(*Conn, *Request) error { return errors.New("secret") }},
		"/empty":   {Upgrade: func(*Conn, *Request) error { return nil }},
		"/badpage": {HTTP: func(*Response, *Request) error { return errors.New("secret") }},
		"/a b/{x}": {Open: func(c *Conn) error { return c.Send(ws.OpText, []byte("opened")) }},
	})
}

// A handshakeCase is named by its id in conformance.md. Status 101 means that
// the connection is open afterwards.
type handshakeCase struct {
	id, in string
	status int
	label  Reject
	has    string // in the output
}

func long(n int) string { return strings.Repeat("x", n) }

var handshakeCases = []handshakeCase{
	{"H1 good upgrade", wsHead("/echo"), 101, 0, sampleAccept},
	{"H1 empty lines first", "\r\n\r\n" + wsHead("/echo"), 101, 0, sampleAccept},
	{"H1 too many empty lines first", "\r\n\r\n\r\n" + wsHead("/echo"), 400, RejectNotHTTP, ""},
	{"H1 bare CR first", "\r" + wsHead("/echo"), 400, RejectNotHTTP, ""},
	{"H2 frames behind", wsHead("/echo") + frame("one") + frame("two"), 101, 0, "\r\n\r\n\x81\x03one\x81\x03two"},
	{"H2 Open speaks first", wsHead("/a%20b/c") + frame("one"), 101, 0, "\r\n\r\n\x81\x06opened"},
	{"H3 names in any case", head("GET /echo HTTP/1.1", "hOST: x", "UPGRADE: WebSocket", "connection: UPGRADE",
		"sec-websocket-KEY:dGhlIHNhbXBsZSBub25jZQ==", "SEC-WEBSOCKET-VERSION:\t13 \t"), 101, 0, sampleAccept},
	{"H3 Connection list", head("GET /echo HTTP/1.1", host, upgrade, "Connection: keep-alive, Upgrade", key, version), 101, 0, ""},
	{"H3 Connection list with tabs", head("GET /echo HTTP/1.1", host, upgrade, "Connection:\tkeep-alive\t,\tupgrade\t", key, version), 101, 0, ""},
	{"H3 Connection twice", head("GET /echo HTTP/1.1", host, upgrade, "Connection: Upgrade", "Connection: keep-alive", key, version), 101, 0, ""},
	{"H3 Connection twice, turned", head("GET /echo HTTP/1.1", host, upgrade, "Connection: keep-alive", "Connection: Upgrade", key, version), 101, 0, ""},
	{"H3 Upgrade list", head("GET /echo HTTP/1.1", host, "Upgrade: h2c, websocket", connect, key, version), 101, 0, ""},
	{"H3 minor version of the future", head("GET /echo HTTP/1.2", host, upgrade, connect, key, version), 101, 0, ""},
	{"H4 POST", head("POST /echo HTTP/1.1", host, upgrade, connect, key, version), 405, RejectMethod, "Allow: GET, HEAD\r\n"},
	{"H4 POST with a body", head("POST /page HTTP/1.1", host, "Content-Length: 3") + "abc", 405, RejectMethod, ""},
	{"H4 OPTIONS *", head("OPTIONS * HTTP/1.1", host), 405, RejectMethod, ""},
	{"H4 CONNECT", head("CONNECT example.com:443 HTTP/1.1", host), 405, RejectMethod, ""},
	{"H4 lower case", head("get /echo HTTP/1.1", host), 405, RejectMethod, ""},
	{"H4 HEAD is no upgrade", head("HEAD /echo HTTP/1.1", host, upgrade, connect, key, version), 426, RejectUpgrade, ""},
	{"H5 HTTP/1.0", head("GET /echo HTTP/1.0", host, upgrade, connect, key, version), 505, RejectHTTPVersion, ""},
	{"H5 HTTP/1.0 plain", head("GET /page HTTP/1.0", host), 505, RejectHTTPVersion, ""},
	{"H5 HTTP/2.0", head("GET /echo HTTP/2.0", host), 505, RejectHTTPVersion, ""},
	{"H5 HTTP/0.9", "GET /echo\r\n", 400, RejectBadRequest, ""},
	{"H5 lower case", head("GET /echo http/1.1", host), 400, RejectNotHTTP, ""},
	{"H5 no minor", head("GET /echo HTTP/1", host), 400, RejectNotHTTP, ""},
	{"H5 two digits", head("GET /echo HTTP/1.11", host), 400, RejectNotHTTP, ""},
	{"H5 not HTTP", head("GET /echo FTP/1.1", host), 400, RejectNotHTTP, ""},
	{"H5 space behind", head("GET /echo HTTP/1.1 ", host), 400, RejectNotHTTP, ""},
	{"H6 no Host", head("GET /echo HTTP/1.1", upgrade, connect, key, version), 400, RejectBadRequest, "no Host"},
	{"H6 two Hosts", wsHead("/echo", host), 400, RejectBadRequest, "twice"},
	{"H6 empty Host", head("GET /echo HTTP/1.1", "Host:", upgrade, connect, key, version), 400, RejectBadRequest, "bad Host"},
	{"H6 Host of white space", head("GET /echo HTTP/1.1", "Host: \t ", upgrade, connect, key, version), 400, RejectBadRequest, "bad Host"},
	{"H6 Host with a path", head("GET /echo HTTP/1.1", "Host: a/b", upgrade, connect, key, version), 400, RejectBadRequest, "bad Host"},
	{"H6 Host with a user", head("GET /echo HTTP/1.1", "Host: a@b", upgrade, connect, key, version), 400, RejectBadRequest, "bad Host"},
	{"H6 Host with a bad port", head("GET /echo HTTP/1.1", "Host: a:8x", upgrade, connect, key, version), 400, RejectBadRequest, "bad Host"},
	{"H6 Host of IPv6", head("GET /echo HTTP/1.1", "Host: [::1]:9998", upgrade, connect, key, version), 101, 0, ""},
	{"H6 Host of bad IPv6", head("GET /echo HTTP/1.1", "Host: [::1", upgrade, connect, key, version), 400, RejectBadRequest, "bad Host"},
	{"H7 no Upgrade", head("GET /echo HTTP/1.1", host, connect, key, version), 426, RejectUpgrade, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
	{"H7 no Connection", head("GET /echo HTTP/1.1", host, upgrade, key, version), 426, RejectUpgrade, "Connection: close, Upgrade\r\n"},
	{"H7 another Upgrade", head("GET /echo HTTP/1.1", host, "Upgrade: h2c", connect, key, version), 426, RejectUpgrade, ""},
	{"H7 half a token", head("GET /echo HTTP/1.1", host, upgrade, "Connection: Upgrade-Insecure", key, version), 426, RejectUpgrade, ""},
	{"H7 page of a WebSocket path", head("GET /both HTTP/1.1", host, upgrade), 200, 0, "/both "},
	{"H8 no key", head("GET /echo HTTP/1.1", host, upgrade, connect, version), 400, RejectKey, "Sec-WebSocket-Key"},
	{"H8 empty key", head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key:", version), 400, RejectKey, ""},
	{"H8 two keys", wsHead("/echo", key), 400, RejectBadRequest, "twice"},
	{"H8 key not base64", head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==", version), 400, RejectKey, ""},
	{"H8 key of 15 bytes", head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", version), 400, RejectKey, ""},
	{"H8 key of 17 bytes", head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU=", version), 400, RejectKey, ""},
	{"H8 key of 18 bytes", head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWVl", version), 400, RejectKey, ""},
	{"H8 key and more", head("GET /echo HTTP/1.1", host, upgrade, connect, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==A", version), 400, RejectKey, ""},
	{"H9 no version", head("GET /echo HTTP/1.1", host, upgrade, connect, key), 426, RejectVersion, "Sec-WebSocket-Version: 13\r\n"},
	{"H9 version 8", head("GET /echo HTTP/1.1", host, upgrade, connect, key, "Sec-WebSocket-Version: 8"), 426, RejectVersion, "Sec-WebSocket-Version: 13\r\n"},
	{"H9 version list", head("GET /echo HTTP/1.1", host, upgrade, connect, key, "Sec-WebSocket-Version: 13, 8"), 426, RejectVersion, ""},
	{"H9 two versions", wsHead("/echo", version), 400, RejectBadRequest, "twice"},
	{"H10 absolute form", wsHead("http://example.com/echo"), 101, 0, ""},
	{"H10 absolute form of ws", wsHead("WS://example.com:80/echo?a=b"), 101, 0, ""},
	{"H10 absolute form without a path", head("GET http://example.com?q HTTP/1.1", host), 404, RejectPath, ""},
	{"H10 absolute form of ftp", wsHead("ftp://example.com/echo"), 400, RejectBadRequest, ""},
	{"H10 absolute form with a user", wsHead("http://me@example.com/echo"), 400, RejectBadRequest, ""},
	{"H10 absolute form without a host", wsHead("http:///echo"), 400, RejectBadRequest, ""},
	{"H10 no slash", wsHead("echo"), 400, RejectBadRequest, ""},
	{"H10 asterisk", wsHead("*"), 400, RejectBadRequest, ""},
	{"H10 fragment", wsHead("/echo#top"), 400, RejectBadRequest, "fragment"},
	{"H10 byte that is no target's", wsHead("/\xc3\xa9"), 400, RejectBadRequest, ""},
	{"H10 two spaces", wsHead(" /echo"), 400, RejectBadRequest, ""},
	{"H11 query", head("GET /page?a=%41&b=+ HTTP/1.1", host), 200, 0, "/page a=%41&b=+"},
	{"H11 escaped", wsHead("/%65c%68o"), 101, 0, ""},
	{"H11 escaped twice", wsHead("/%2565cho"), 404, RejectPath, ""},
	{"H11 bad escape", wsHead("/ech%6"), 400, RejectBadRequest, ""},
	{"H11 bad escape", wsHead("/ech%6g"), 400, RejectBadRequest, ""},
	{"H11 dots", wsHead("/x/../echo"), 404, RejectPath, ""},
	{"H11 two slashes", wsHead("//echo"), 404, RejectPath, ""},
	{"H11 trailing slash", wsHead("/echo/"), 404, RejectPath, ""},
	{"H11 bad escape in the query is the handler's", wsHead("/echo?%zz"), 101, 0, ""},
	{"H12 unknown path", wsHead("/nowhere"), 404, RejectPath, "\n  /a b/{x}\n  /any\n"},
	{"H12 unknown path, plain", head("GET /nowhere HTTP/1.1", host), 404, RejectPath, "  /strict\n"},
	{"H12 page without WebSocket", wsHead("/page"), 404, RejectPath, "no WebSocket"},
	{"H12 nothing behind the hook", wsHead("/empty"), 404, RejectPath, "no WebSocket"},
	{"H13 first of the client's", wsHead("/chat", "Sec-WebSocket-Protocol: x, superchat, chat"), 101, 0, "Sec-WebSocket-Protocol: superchat\r\n"},
	{"H13 over several lines", wsHead("/chat", "Sec-WebSocket-Protocol: x,,", "Other: y", "sec-websocket-protocol:\tchat", "Sec-WebSocket-Protocol: superchat"), 101, 0, "Sec-WebSocket-Protocol: chat\r\n"},
	{"H13 not a token", wsHead("/chat", "Sec-WebSocket-Protocol: chat, a b"), 400, RejectBadRequest, ""},
	{"H13 strict, match", wsHead("/strict", "Sec-WebSocket-Protocol: chat"), 101, 0, "Sec-WebSocket-Protocol: chat\r\n"},
	{"H13 strict, none", wsHead("/strict", "Sec-WebSocket-Protocol: Chat"), 400, RejectProtocol, ""},
	{"H13 strict, no offer", wsHead("/strict"), 101, 0, ""},
	{"H13 any", wsHead("/any", "Sec-WebSocket-Protocol: Foo, bar"), 101, 0, "Sec-WebSocket-Protocol: Foo\r\n"},
	{"H14 unknown extension", wsHead("/echo", "Sec-WebSocket-Extensions: foo; bar=1, permessage-deflate"), 101, 0, ""},
	{"H14 malformed extension", wsHead("/echo", "Sec-WebSocket-Extensions: ;;=,\"", "Sec-WebSocket-Extensions:"), 101, 0, ""},
	{"H15 ours", wsHead("/home", "Origin: https://example.COM"), 101, 0, ""},
	{"H15 no page", wsHead("/home"), 101, 0, ""},
	{"H15 foreign", wsHead("/home", "Origin: https://evil.example"), 403, RejectOrigin, ""},
	{"H15 longer", wsHead("/home", "Origin: https://example.com.evil"), 403, RejectOrigin, ""},
	{"H15 null", wsHead("/home", "Origin: null"), 403, RejectOrigin, ""},
	{"H15 empty", wsHead("/home", "Origin:"), 403, RejectOrigin, ""},
	{"H15 two origins", wsHead("/home", "Origin: https://example.com", "Origin: https://evil.example"), 400, RejectBadRequest, "twice"},
	{"H15 no list", wsHead("/echo", "Origin: https://evil.example"), 101, 0, ""},
	{"H16 bare LF in a line", "GET /echo HTTP/1.1\r\nHost: x\nUpgrade: websocket\r\n\r\n", 400, RejectBadRequest, "CR LF"},
	{"H16 bare LF at the end", "GET /echo HTTP/1.1\r\nHost: x\r\n\n", 400, RejectBadRequest, "CR LF"},
	{"H16 bare LF in the request line", "GET /echo HTTP/1.1\nHost: x\r\n\r\n", 400, RejectNotHTTP, ""},
	{"H16 bare CR", wsHead("/echo", "X: a\rb"), 400, RejectBadRequest, "control"},
	{"H16 CR CR LF", wsHead("/echo", "X: a\r"), 400, RejectBadRequest, "control"},
	{"H16 obs-fold", wsHead("/echo", "X: a", " b: c"), 400, RejectBadRequest, "folded"},
	{"H16 obs-fold with a tab", wsHead("/echo", "X: a", "\tb"), 400, RejectBadRequest, "folded"},
	{"H16 space first", head("GET /echo HTTP/1.1", " "+host), 400, RejectBadRequest, "folded"},
	{"H16 NUL", wsHead("/echo", "X: a\x00"), 400, RejectBadRequest, "control"},
	{"H16 DEL, eight bytes on", wsHead("/echo", "X: 1234567890\x7fabcdefghijk"), 400, RejectBadRequest, "control"},
	{"H16 tabs and high bytes", wsHead("/echo", "X: 1\t2\xff\x80\t345678\t\t"), 101, 0, ""},
	{"H16 NUL in a name", wsHead("/echo", "X\x00: a"), 400, RejectBadRequest, "name"},
	{"H16 space before the colon", wsHead("/echo", "X : a"), 400, RejectBadRequest, "name"},
	{"H16 no name", wsHead("/echo", ": a"), 400, RejectBadRequest, "name"},
	{"H16 no colon", wsHead("/echo", "X"), 400, RejectBadRequest, "name"},
	{"H17 head over the limit", "GET /echo HTTP/1.1\r\nX: " + long(9000), 431, RejectTooLarge, ""},
	{"H17 no room for the end", sized(DefaultMaxHead + 1)[:DefaultMaxHead], 431, RejectTooLarge, ""},
	{"H17 head at the limit", sized(DefaultMaxHead), 101, 0, ""},
	{"H17 head one over the limit", sized(DefaultMaxHead + 1), 431, RejectTooLarge, ""},
	{"H17 100 lines", wsHead("/echo", strings.Split(strings.Repeat("A: b|", 94)+"A: b", "|")...), 101, 0, ""},
	{"H17 101 lines", wsHead("/echo", strings.Split(strings.Repeat("A: b|", 95)+"A: b", "|")...), 431, RejectTooLarge, "lines"},
	{"H17 long target", "GET /" + long(4096), 414, RejectTooLarge, ""},
	{"H17 target at the limit", head("GET /page?"+long(4096-6)+" HTTP/1.1", host), 200, 0, "xxx"},
	{"H17 long method", long(33), 400, RejectNotHTTP, ""},
	{"H18 body", wsHead("/echo", "Content-Length: 5") + "GET /", 400, RejectBody, ""},
	{"H18 chunked body", wsHead("/echo", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400, RejectBody, ""},
	{"H18 identity", wsHead("/echo", "transfer-encoding: identity"), 400, RejectBody, ""},
	{"H18 body of a page", head("GET /page HTTP/1.1", host, "Content-Length: 1") + "x", 400, RejectBody, ""},
	{"H18 empty body", wsHead("/echo", "Content-Length: 0"), 101, 0, ""},
	{"H18 two lengths", wsHead("/echo", "Content-Length: 0", "Content-Length: 0"), 400, RejectBadRequest, "twice"},
	{"H18 list of lengths", wsHead("/echo", "Content-Length: 0, 0"), 400, RejectBadRequest, "Content-Length"},
	{"H18 signed length", wsHead("/echo", "Content-Length: +0"), 400, RejectBadRequest, "Content-Length"},
	{"H18 no length", wsHead("/echo", "Content-Length:"), 400, RejectBadRequest, "Content-Length"},
	{"H18 endless length", wsHead("/echo", "Content-Length: 0000000000000000000"), 400, RejectBadRequest, "Content-Length"},
	{"H18 smuggled upgrade", head("GET /page HTTP/1.1", host, "Content-Length: 200") + wsHead("/echo"), 400, RejectBody, ""},
	{"H19 pages, then the upgrade", head("GET /page HTTP/1.1", host) + head("HEAD /page?2 HTTP/1.1", host) + wsHead("/echo") + frame("hi"), 101, 0, "\x81\x02hi"},
	{"H19 last page", head("GET /page HTTP/1.1", host, "Connection: Close") + wsHead("/echo"), 200, 0, "Connection: close\r\n"},
	{"H20 TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, RejectNotHTTP, "this port speaks plain HTTP: use http:// or ws://\n"},
	{"H20 HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, RejectNotHTTP, ""},
	{"H20 noise", "ab\xfe\x00", 400, RejectNotHTTP, ""},
	{"H20 SSH", "SSH-2.0-OpenSSH_9.6\r\n", 400, RejectNotHTTP, ""},
	{"H20 PROXY 1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 400, RejectProxy, ""},
	{"H20 PROXY 2", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", 400, RejectProxy, ""},
	{"H21 one of each header, no body", wsHead("/echo"), 101, 0, "Sec-WebSocket-Accept: " + sampleAccept + "\r\n\r\n"},
	{"A5 handler refuses", wsHead("/no"), 503, RejectHandler, "503 Service Unavailable: not today\n"},
	{"A5 handler fails", wsHead("/fails"), 500, RejectHandler, "the handler failed"},
	{"A5 page fails", head("GET /badpage HTTP/1.1", host), 500, RejectHandler, "the handler failed"},
}

// sized is a good upgrade whose head is n bytes long.
func sized(n int) string {
	return wsHead("/echo", "X: "+long(n-len(wsHead("/echo"))-len("X: \r\n")))
}
