//go:build inject

package poller

import (
	"sync/atomic"
	"syscall"
)

const injecting = true

// injector decides on the faults: what a call fails with, or how few of its n
// bytes, at least one, it may take. nil: none.
var injector atomic.Pointer[func(c call, fd int, n *int) syscall.Errno]

func inject(c call, fd int, n *int) syscall.Errno {
	if f := injector.Load(); f != nil {
		return (*f)(c, fd, n)
	}
	return 0
}

// injectTwo is inject for a call with two slices.
func injectTwo(c call, fd int, p, q []byte) ([]byte, []byte, syscall.Errno) {
	n := len(p) + len(q)
	errno := inject(c, fd, &n)
	k := min(n, len(p))
	return p[:k], q[:n-k], errno
}
