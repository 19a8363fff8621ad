//go:build race

package poller

import (
	"bytes"
	"runtime"
)

// owner is the goroutine that owns a loop: under -race every call of a handler's
// API is checked to come from it.
type owner struct{ id string }

func (o *owner) own() { o.id = goroutine() }
func (o *owner) check() {
	if o.id != "" && o.id != goroutine() {
		panic("poller: a Conn was used outside its event loop; keep its Handle instead")
	}
}

// goroutine is the running goroutine's number, read off its stack.
func goroutine() string {
	var b [64]byte
	head := b[:runtime.Stack(b[:], false)]
	return string(bytes.Fields(head)[1])
}
