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

// lent is the regions that are in use: memory that is none of them must not be
// put back, because its contents would be lost.
type lent map[*byte]struct{}

func (l *lent) add(b []byte) {
	if *l == nil {
		*l = make(lent)
	}
	(*l)[&b[:1][0]] = struct{}{}
}

func (l *lent) remove(b []byte) {
	if _, ok := (*l)[&b[:1][0]]; !ok {
		panic("poller: internal error: a buffer that is none of the pool's, or one put back twice")
	}
	delete(*l, &b[:1][0])
}
