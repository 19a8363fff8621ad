package websocket

// A Response is what a Route's HTTP function answers: status 200 unless set.
// Body is sent as it is and must not change afterwards; Type is its media type,
// ETag its quoted entity tag or empty.
type Response struct {
	Status int
	Type   string
	ETag   string
	Body   []byte
}
