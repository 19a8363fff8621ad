package main

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A connection costs its struct and its place in the table of descriptors, and
// nothing that the collector would have to look at.
func TestConnIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(conn{}); got > 64 {
		t.Errorf("a connection is %d bytes, want at most a cache line", got)
	}
}

// openLoop is a loop by itself, which measures, and whose connections are open;
// servers are their other ends. All ends with the test.
func openLoop(t *testing.T, d load) (l *loop, servers []int) {
	t.Helper()
	s := d.share(0, 1)
	s.Started, s.Interval = time.Now(), time.Hour
	l, err := newLoop(s, nil, make(chan report, reportsHeld))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	for i := range l.conns {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := &l.conns[i]
		c.fd, c.state = int32(pair[0]), stateOpen
		l.byFD = append(l.byFD, make([]int32, max(0, pair[0]+1-len(l.byFD)))...)
		l.byFD[pair[0]] = c.id + 1
		l.alive++
		servers = append(servers, pair[1])
		t.Cleanup(func() {
			_ = unix.Close(pair[1])
			if c.fd >= 0 {
				_ = unix.Close(pair[0])
			}
		})
	}
	l.phase = phaseMeasure
	l.groups[0].begin(l)
	return l, servers
}

// No message costs an allocation, neither in the closed loop nor in the open.
func TestMessagesDoNotAllocate(t *testing.T) {
	for _, mode := range []string{modeEcho, modeRate} {
		l, servers := openLoop(t, small(mode, func(d *load) { d.Connections = 1; d.Pipeline = 4; d.Rate = 1e9; d.Duration = time.Hour }))
		c := &l.conns[0]
		read := make([]byte, 1<<20)
		messages := int64(0)
		allocations := testing.AllocsPerRun(1000, func() {
			n, err := unix.Read(servers[0], read)
			if err != nil || n < 4*l.stream.outFrame {
				t.Fatalf("%s: got %d bytes, %v, want a batch", mode, n, err)
			}
			at := int(c.rx) % len(l.stream.in)
			l.now = l.clock()
			l.received(c, l.stream.in[at:at+4*l.stream.inFrame])
			messages += 4
		})
		if allocations != 0 || l.rec.Count != messages {
			t.Errorf("%s: got %v allocations for 4 messages, %d of %d counted", mode, allocations, l.rec.Count, messages)
		}
	}
}

// A connection of an open loop has waited for too long when its oldest message
// without an echo has, counted from when that was due, not from when the one
// before it was.
func TestOldestMessageTimesOut(t *testing.T) {
	const second = int64(time.Second)
	l, _ := openLoop(t, small(modeRate, func(d *load) {
		d.Connections, d.Rate, d.Duration, d.Timeout = 2, 1, time.Hour, 10*time.Second
	}))
	b := l.groups[0].behaviour.(*pacedLoop)
	c := &l.conns[b.turns[0]]
	for l.now = b.start; l.now <= b.start+6*second; l.now += second { // to c go those of 0, 2, 4 and 6
		at := l.now
		b.send(l)
		l.now = at
	}
	if c.want != 4 {
		t.Fatalf("%d messages were sent, want 4", c.want)
	}
	l.received(c, l.stream.in[:l.stream.inFrame]) // that of 2 is the oldest now
	for _, x := range []struct {
		after int64
		open  bool
	}{{12*second - 1, true}, {12 * second, false}} {
		l.now = b.start + x.after
		l.sweep()
		if c.open() != x.open {
			t.Errorf("%v after the begin: open is %v, want %v", time.Duration(x.after), c.open(), x.open)
		}
	}
	if n := l.rec.Errors[KindTimeout]; n != 2 { // the other has waited since 1
		t.Errorf("got %d timeouts, want 2", n)
	}
}
