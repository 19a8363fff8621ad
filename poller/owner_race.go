//go:build race

package poller

import "sync/atomic"

// owner is the goroutine that owns a loop: under -race every call of a handler's
// API is checked to come from it.
type owner struct {
	id string
	fd atomic.Int64
}

func (o *owner) own() { o.id = goroutine() }
func (o *owner) check() {
	if o.id != "" && o.id != goroutine() {
		panic("poller: a Conn was used outside its event loop; keep its Handle instead")
	}
}

// enter tells other goroutines what the loop is busy with.
func (o *owner) enter(fd int) { o.fd.Store(int64(fd)) }

// current is the connection that the loop was last busy with, for any goroutine.
func (l *loop) current() int { return int(l.owner.fd.Load()) }
