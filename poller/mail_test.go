package poller

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// rung reports whether the loop's eventfd is readable, and empties it.
func rung(l *loop) bool {
	var count [8]byte
	n, _ := unix.Read(l.wake, count[:])
	return n == 8
}

// TestQueueRingsNobody: a connection that has more to read than a turn takes costs
// no write to the eventfd.
func TestQueueRingsNobody(t *testing.T) {
	l := still(t, func(c *Config) { c.MaxHead = 64 << 10 })
	c := connect(t, l)
	c.sends([]byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 3*readHead)))
	for range 2 {
		if len(l.queue) != 1 || rung(l) {
			t.Errorf("%d in the queue, want 1 and a silent eventfd", len(l.queue))
		}
		l.takeTurns()
	}
}

// TestMailbox: letters come in their order, the first wakes the loop, and a
// closed box refuses them.
func TestMailbox(t *testing.T) {
	l := still(t, nil)
	var got []int
	letterFor := func(i int) letter { return letter{kind: letterTask, task: func() { got = append(got, i) }} }
	for i := range 3 {
		if err := l.mail.post(l, letterFor(i)); err != nil {
			t.Fatal(err)
		}
		if rung(l) != (i == 0) {
			t.Errorf("letter %d: the first alone is to wake the loop", i)
		}
	}
	if err := l.deliver(); err != nil || !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("delivered %v, %v", got, err)
	}
	if err := l.mail.post(l, letterFor(3)); err != nil || !rung(l) {
		t.Errorf("after delivery: %v; the loop is to be woken again", err)
	}
	if unread := l.mail.close(); len(unread) != 1 {
		t.Errorf("%d letters are unread, want 1", len(unread))
	}
	if err := l.mail.post(l, letterFor(4)); err != websocket.ErrGone || rung(l) {
		t.Errorf("after closing: %v", err)
	}
}

// TestTaskPostsTask: what a letter leads to waits for the next time, so that it
// cannot keep the loop from its events.
func TestTaskPostsTask(t *testing.T) {
	l := still(t, nil)
	runs := 0
	var again func()
	again = func() {
		runs++
		_ = l.mail.post(l, letter{kind: letterTask, task: again})
	}
	again()
	for want := 2; want < 5; want++ {
		if err := l.deliver(); err != nil || runs != want {
			t.Fatalf("%d runs, want %d: %v", runs, want, err)
		}
	}
}

// TestHandle: what is sent from outside arrives in order with what is done, and
// the memory of what is on its way is counted until then.
func TestHandle(t *testing.T) {
	l := still(t, nil)
	c := open(t, l)
	h := websocket.NewHandle(l, int32(c.fd), c.generation())
	text := []byte("first")
	if err := h.Send(ws.OpText, text); err != nil {
		t.Fatal(err)
	}
	copy(text, "spoil") // it was copied
	if err := h.Do(func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("second")) }); err != nil {
		t.Fatal(err)
	}
	if n := l.srv.posted.Load(); n != 2*letterSize+5 {
		t.Errorf("%d bytes are in mailboxes, want two letters and 5", n)
	}
	if err := l.deliver(); err != nil {
		t.Fatal(err)
	}
	if got := c.want("by Send and Do", ws.OpText, ws.OpText); string(got[0].Payload) != "first" || string(got[1].Payload) != "second" {
		t.Errorf("frames %q and %q", got[0].Payload, got[1].Payload)
	}
	if n := l.srv.posted.Load(); n != 0 {
		t.Errorf("%d bytes are in mailboxes after delivery", n)
	}
}

// TestHandleTooLate: a connection that ends, or its place taken by another, while
// a letter is on its way.
func TestHandleTooLate(t *testing.T) {
	l := still(t, nil)
	c := open(t, l)
	h := websocket.NewHandle(l, int32(c.fd), c.generation())
	done := false
	if err := errors.Join(h.Send(ws.OpText, []byte("late")), h.Do(func(*websocket.Conn) error { done = true; return nil })); err != nil {
		t.Fatal(err)
	}
	l.cut(c.fd, c.slot, websocket.ErrReset)
	c.slot.take(l.tag, l.tick) // the next connection with this descriptor
	if err := l.deliver(); err != nil {
		t.Fatal(err)
	}
	c.slot.free()
	if done || l.stats.SendsRefused != 1 || l.srv.posted.Load() != 0 {
		t.Errorf("done %t, sends refused %d, bytes posted %d", done, l.stats.SendsRefused, l.srv.posted.Load())
	}
	if err := h.Send(ws.OpText, nil); err != websocket.ErrGone {
		t.Errorf("Send: %v", err)
	}
	if err := h.Do(nop); err != websocket.ErrGone {
		t.Errorf("Do: %v", err)
	}
}

// TestLettersAreBounded: what is posted counts to MaxBuffered, and so does the
// letter itself.
func TestLettersAreBounded(t *testing.T) {
	if n := unsafe.Sizeof(letter{}); n > letterSize {
		t.Errorf("a letter has %d bytes, more than letterSize, %d", n, letterSize)
	}
	l := still(t, func(c *Config) { c.MaxBuffered = letterSize + 100 })
	c := open(t, l)
	h := websocket.NewHandle(l, int32(c.fd), c.generation())
	if err := h.Send(ws.OpBinary, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := h.Send(ws.OpBinary, nil); err != websocket.ErrBacklog {
		t.Errorf("above the bound: %v, want ErrBacklog", err)
	}
	if err := h.Do(func(*websocket.Conn) error { return nil }); err != websocket.ErrBacklog {
		t.Errorf("a function above the bound: %v, want ErrBacklog", err)
	}
	if n := l.srv.posted.Load(); n != letterSize+100 {
		t.Errorf("%d bytes are posted, want a letter and 100", n)
	}
	_ = l.deliver()
	done := false
	if err := h.Do(func(*websocket.Conn) error { done = true; return nil }); err != nil || l.srv.posted.Load() != letterSize {
		t.Errorf("after delivery: %v, %d bytes posted, want a letter", err, l.srv.posted.Load())
	}
	_ = l.deliver()
	if !done || l.srv.posted.Load() != 0 {
		t.Errorf("done %t, %d bytes posted, want none", done, l.srv.posted.Load())
	}
}

// TestLetterComesBack: what a loop that has ended does not take is not counted.
func TestLetterComesBack(t *testing.T) {
	l := still(t, nil)
	c := open(t, l)
	h := websocket.NewHandle(l, int32(c.fd), c.generation())
	if !l.mail.end() {
		t.Fatal("there is mail")
	}
	if err := h.Send(ws.OpText, []byte("late")); err != websocket.ErrGone || l.srv.posted.Load() != 0 {
		t.Errorf("Send: %v, %d bytes posted, want ErrGone and none", err, l.srv.posted.Load())
	}
}

// TestJobs: never more than the bound at once, each runs, and the pool holds no
// goroutine when there is nothing to do.
func TestJobs(t *testing.T) {
	const most, all = 3, 200
	j := jobs{max: most}
	var running, peak, ran atomic.Int32
	for range all {
		err := j.start(func() {
			now := running.Add(1)
			for p := peak.Load(); now > p && !peak.CompareAndSwap(p, now); p = peak.Load() {
			}
			ran.Add(1)
			running.Add(-1)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	j.done.Wait()
	if ran.Load() != all || peak.Load() > most {
		t.Errorf("%d of %d jobs ran, %d at once, want at most %d", ran.Load(), all, peak.Load(), most)
	}
	if j.running != 0 || len(j.waiting) != 0 {
		t.Errorf("%d workers, %d waiting", j.running, len(j.waiting))
	}
}

// TestJobsBound: with every worker blocked the rest waits, in its order.
func TestJobsBound(t *testing.T) {
	j := jobs{max: 2}
	block, began := make(chan struct{}), make(chan struct{}, 2)
	for range 2 {
		_ = j.start(func() { began <- struct{}{}; <-block })
	}
	<-began
	<-began
	var order []int // one worker's at a time
	last := make(chan struct{})
	for i := range 5 {
		_ = j.start(func() {
			if order = append(order, i); len(order) == 5 {
				close(last)
			}
		})
	}
	j.mu.Lock()
	waiting := j.waiting
	j.mu.Unlock()
	if len(waiting) != 5 {
		t.Errorf("%d jobs wait, want 5", len(waiting))
	}
	block <- struct{}{} // one worker is free, and runs them one after the other
	<-last
	close(block)
	j.done.Wait()
	if !slices.IsSorted(order) {
		t.Errorf("order %v", order)
	}
	for i, f := range waiting {
		if f != nil {
			t.Errorf("job %d is still held", i)
		}
	}
}

// TestJobsClose: what has not begun is dropped, more is refused.
func TestJobsClose(t *testing.T) {
	j := jobs{max: 1}
	block, began := make(chan struct{}), make(chan struct{})
	_ = j.start(func() { close(began); <-block })
	<-began
	_ = j.start(func() { t.Error("a job ran after the pool was closed") })
	j.close()
	if err := j.start(func() {}); err != websocket.ErrGone {
		t.Errorf("start: %v, want ErrGone", err)
	}
	close(block)
	j.done.Wait()
}

// TestRunRecovers: a job's panic is its connection's end, with its stack.
func TestRunRecovers(t *testing.T) {
	answer := run(func() func(*websocket.Conn) error { panic("no") })
	var p *websocket.PanicError
	if err := answer(nil); !errors.As(err, &p) || p.Value != "no" || len(p.Stack) == 0 {
		t.Errorf("answer %v", err)
	}
	if run(func() func(*websocket.Conn) error { return nil }) != nil {
		t.Error("a job without an answer has one")
	}
}
