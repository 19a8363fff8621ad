package websocket

import "strconv"

// A Response is what a Route's HTTP function answers a GET or HEAD request
// with: status 200 unless set. Body is sent as it is and must not change until
// the function returns; a HEAD request gets all but the body. With an ETag a
// request whose If-None-Match lists it is answered 304.
type Response struct {
	Status int         // 200 to 599
	Type   string      // the body's media type
	ETag   string      // quoted entity tag, or empty
	Cache  string      // Cache-Control, or empty
	Policy string      // Content-Security-Policy, or empty
	Header [][2]string // more headers: name, value
	Body   []byte

	static *Static
}

// A Static is a page prepared once: the bytes of its answers are made
// beforehand. Its HTTP method is what a Route needs.
type Static struct {
	etag   string
	full   []byte // status line and headers of the 200, without the empty line
	cached []byte // the same of the 304
	body   []byte
}

// NewStatic prepares r, whose Body must not change afterwards.
func NewStatic(r Response) *Static {
	return &Static{r.ETag, r.appendHead(nil, false), r.appendHead(nil, true), r.Body}
}

// HTTP answers with the page.
func (s *Static) HTTP(w *Response, _ *Request) error {
	w.static = s
	return nil
}

// append appends the answer to r.
func (w *Response) append(dst []byte, r *Request) []byte {
	s := w.static
	etag := w.ETag
	if s != nil {
		etag = s.etag
	}
	cached := etag != "" && (s != nil || w.status() == 200) && r.matches(etag)
	switch {
	case s == nil:
		dst = w.appendHead(dst, cached)
	case cached:
		dst = append(dst, s.cached...)
	default:
		dst = append(dst, s.full...)
	}
	if r.close {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	if cached || r.isHead() {
		return dst
	}
	if s != nil {
		return append(dst, s.body...)
	}
	if bodiless(w.status()) {
		return dst
	}
	return append(dst, w.Body...)
}

// appendHead appends the status line and the headers, Connection and the empty
// line excepted; cached for the 304 that stands for it (RFC 9110 §15.4.5).
func (w *Response) appendHead(dst []byte, cached bool) []byte {
	status := w.status()
	if cached {
		status = 304
	}
	dst = appendStatus(dst, status)
	if !bodiless(status) {
		dst = appendHeader(dst, "Content-Type", w.Type)
		dst = append(dst, "X-Content-Type-Options: nosniff\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(w.Body)), 10)
		dst = append(dst, "\r\n"...)
	}
	dst = appendHeader(dst, "ETag", w.ETag)
	dst = appendHeader(dst, "Cache-Control", w.Cache)
	dst = appendHeader(dst, "Content-Security-Policy", w.Policy)
	for _, h := range w.Header {
		dst = appendHeader(dst, h[0], h[1])
	}
	return dst
}

func (w *Response) status() int {
	switch {
	case w.Status == 0:
		return 200
	case w.Status < 200 || w.Status > 599:
		panic("websocket: bad status of a Response")
	}
	return w.Status
}

// bodiless reports whether a response of that status ends with its head
// (RFC 9112 §6.3), so that it must not speak of a length either.
func bodiless(status int) bool { return status == 204 || status == 304 }

// appendHeader appends a header line, none for an empty value. What could split
// the response panics: no handler does that on purpose.
func appendHeader(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	checkHeader(name, value)
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

func checkHeader(name, value string) {
	if !isToken([]byte(name)) || !cleanBytes([]byte(value)) {
		panic("websocket: bad header")
	}
}
