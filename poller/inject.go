package poller

// call is a system call in which a test can have a fault happen.
type call uint8

const (
	callRecv call = iota
	callSend
)
