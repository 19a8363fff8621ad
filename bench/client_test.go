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

// No message costs an allocation, neither in the closed loop nor in the open.
func TestMessagesDoNotAllocate(t *testing.T) {
	for _, mode := range []string{modeEcho, modeRate} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		d := small(mode, func(d *load) { d.Connections = 1; d.Pipeline = 4; d.Rate = 1e9; d.Duration = time.Hour })
		s := d.share(0, 1)
		s.Started, s.Interval = time.Now(), time.Hour
		l, err := newLoop(s, nil, make(chan report, reportsHeld))
		if err != nil {
			t.Fatal(err)
		}
		c := &l.conns[0]
		c.fd, c.state = int32(pair[0]), stateOpen
		l.phase = phaseMeasure
		l.groups[0].begin(l)
		read := make([]byte, 1<<20)
		messages := int64(0)
		allocations := testing.AllocsPerRun(1000, func() {
			n, err := unix.Read(pair[1], read)
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
		l.close()
		_ = unix.Close(pair[0])
		_ = unix.Close(pair[1])
	}
}
