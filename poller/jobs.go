package poller

import (
	"runtime/debug"
	"sync"

	"echogate/poller/websocket"
)

// jobs is the bounded pool that runs what Conn.Go is given. A worker lives
// while there is work: idle, the pool holds no goroutine.
type jobs struct {
	mu      sync.Mutex
	max     int
	queue   int // how many may wait, for who asks by crowded
	running int
	waiting []func() // at most one for each connection
	closed  bool
	done    sync.WaitGroup
}

// start runs f on the pool, now or when a worker is free. It does not wait.
func (j *jobs) start(f func()) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return websocket.ErrGone
	}
	if j.running >= j.max {
		j.waiting = append(j.waiting, f)
		return nil
	}
	j.running++
	j.done.Go(func() { j.work(f) })
	return nil
}

// crowded reports whether as many wait as may.
func (j *jobs) crowded() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiting) >= j.queue
}

func (j *jobs) work(f func()) {
	for f != nil {
		f()
		f = j.next()
	}
}

func (j *jobs) next() func() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) == 0 || j.closed || j.running > j.max {
		j.running--
		return nil
	}
	f := j.waiting[0]
	j.waiting[0] = nil // what it holds must not outlive it
	j.waiting = j.waiting[1:]
	return f
}

// resize changes how many run at once. Who runs too many ends his job first.
func (j *jobs) resize(most int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.max = most; j.running < j.max && len(j.waiting) > 0 && !j.closed; j.running++ {
		f := j.waiting[0]
		j.waiting = j.waiting[1:]
		j.done.Go(func() { j.work(f) })
	}
}

// close drops what has not begun and refuses more.
func (j *jobs) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.waiting = nil
}

// run runs a job; its panic becomes its answer.
func run(job func() func(*websocket.Conn) error) (answer func(*websocket.Conn) error) {
	defer func() {
		if v := recover(); v != nil {
			err := &websocket.PanicError{Value: v, Stack: debug.Stack()}
			answer = func(*websocket.Conn) error { return err }
		}
	}()
	return job()
}
