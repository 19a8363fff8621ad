package websocket

// A Request is the view of one request's head: slices of the loop's buffer,
// dead when the handler returns. What it returns as a string is a copy.
type Request struct {
}
