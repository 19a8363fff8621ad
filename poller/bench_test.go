package poller

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// million is how many connections a process is built for.
const million = 1 << 20

// benchWheel is a wheel over the links of a million slots, each filed at a
// moment of its own of the next 50 s: the default ping interval.
func benchWheel() (*wheel, uint32) {
	l := &loop{table: newTable(million)}
	w := &l.wheel
	w.at = l.link
	every := ticks(50 * time.Second)
	for fd := range million {
		s := l.table.make(fd)
		s.take(1, 0)
		w.file(connRef(fd), 1+uint32(uint64(s.jitter(fd))*uint64(every)>>16))
	}
	return w, every
}

func BenchmarkWheel(b *testing.B) {
	b.Run("file", func(b *testing.B) {
		w, every := benchWheel()
		b.ReportAllocs()
		for b.Loop() {
			w.file(connRef(rand.IntN(million)), w.last+1+rand.Uint32N(every))
		}
	})
	b.Run("cancel", func(b *testing.B) {
		w, every := benchWheel()
		b.ReportAllocs()
		for b.Loop() {
			r := connRef(rand.IntN(million))
			w.remove(r)
			w.file(r, w.last+1+rand.Uint32N(every))
		}
	})
	// A tick takes out what is due and files it again, as the loop does. What
	// counts is processor time in a second of ticks.
	b.Run("tick", func(b *testing.B) {
		w, every := benchWheel()
		var due []ref
		fired, began := 0, cpuTime()
		b.ReportAllocs()
		for b.Loop() {
			due = w.advance(w.last+1, due[:0])
			fired += len(due)
			for _, r := range due {
				w.file(r, w.last+every)
			}
		}
		tick := (cpuTime() - began).Seconds() * 1e3 / float64(b.N)
		b.ReportMetric(tick*float64(ticksPerSecond), "cpu-ms/s")
		b.ReportMetric(float64(fired)/float64(b.N), "fired/op")
	})
}

// cpuTime is what the process has used of its processors.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCollect is a cycle of the collector with a million slots and
// without: they have no pointers, so it does not look at them.
func BenchmarkCollect(b *testing.B) {
	for _, slots := range []int{0, million} {
		b.Run(fmt.Sprint("slots=", slots), func(b *testing.B) {
			before := memory()
			tab := newTable(million)
			for fd := range slots {
				tab.make(fd).take(1, 1)
			}
			runtime.GC()
			used := memory()
			for b.Loop() {
				runtime.GC()
			}
			after := memory()
			b.ReportMetric(float64(after.PauseTotalNs-used.PauseTotalNs)/float64(b.N), "pause-ns/op")
			if slots > 0 {
				b.ReportMetric(float64(int64(used.HeapAlloc)-int64(before.HeapAlloc))/float64(slots), "B/conn")
			}
			runtime.KeepAlive(tab)
		})
	}
}

func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// BenchmarkTable is the look-up that every event begins with.
func BenchmarkTable(b *testing.B) {
	tab := newTable(million)
	for fd := range million {
		tab.make(fd).take(1, 1)
	}
	l := &loop{tag: 1}
	b.ReportAllocs()
	for b.Loop() {
		if !tab.at(rand.IntN(million)).is(l) {
			b.Fatal("a slot is lost")
		}
	}
}

// BenchmarkEcho is a message from the client's write to the client's read, in
// one process over loopback. The client costs as much again as the server:
// what tells is the difference to the floor, which is an epoll loop that reads
// and writes the same bytes back.
func BenchmarkEcho(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		for _, size := range []int{64, 4096} {
			name := fmt.Sprintf("conns=%d/size=%d", n, size)
			frame, reply := maskedEcho(size)
			b.Run(name+"/echo", func(b *testing.B) {
				_, addr := serving(b, quiet(b))
				peers := newPeers(b, n)
				joinPeers(b, addr, peers, n)
				exchange(b, *peers, frame, reply)
			})
			b.Run(name+"/floor", func(b *testing.B) {
				f := newFloor(b)
				peers := newPeers(b, n)
				for range n {
					*peers = append(*peers, dial(b, f.addr))
				}
				f.start(n)
				exchange(b, *peers, frame, make([]byte, len(frame)))
			})
		}
	}
}

// exchange measures messages: in each round every peer sends one and then every
// peer reads its reply.
func exchange(b *testing.B, peers []peer, frame, reply []byte) {
	echoAll(peers, frame, reply, 2)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(peers) {
			i = 0
		}
		if i == 0 {
			for _, p := range peers {
				p.write(frame)
			}
		}
		peers[i].read(reply)
		i++
	}
	for ; i < len(peers); i++ {
		peers[i].read(reply)
	}
}

// floor is the least that an echo can cost: one epoll loop, one read and one
// write for an event.
type floor struct {
	tb    testing.TB
	ln    *listener
	epoll int
	addr  netip.AddrPort
	conns []int
}

func newFloor(tb testing.TB) *floor {
	tb.Helper()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	sa, err := unix.Getsockname(ln.fd)
	if err != nil {
		tb.Fatal(err)
	}
	return &floor{tb: tb, ln: ln, epoll: epoll, addr: addrPort(sa)}
}

// start takes the n connections that are there, and echoes until the test ends.
func (f *floor) start(n int) {
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	f.tb.Cleanup(func() {
		for _, fd := range append(f.conns, f.ln.fd, f.epoll, stop) {
			_ = unix.Close(fd)
		}
	})
	if err != nil {
		f.tb.Fatal(err)
	}
	f.watch(stop)
	for range n {
		fd, errno := accept(f.ln.fd)
		if errno != 0 {
			f.tb.Fatal(errno)
		}
		f.conns = append(f.conns, fd)
		f.watch(fd)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(stop)
	}()
	f.tb.Cleanup(func() {
		_, _ = unix.Write(stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-done
	})
}

func (f *floor) watch(fd int) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}
	if err := unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		f.tb.Fatal(err)
	}
}

func (f *floor) run(stop int) {
	events, buf := make([]unix.EpollEvent, 1024), make([]byte, readBuffer)
	for {
		n, err := unix.EpollWait(f.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			f.tb.Error(err)
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == stop {
				return
			}
			if got, errno := recv(int(ev.Fd), &buf[0], len(buf)); errno == 0 && got > 0 {
				_, _ = send(int(ev.Fd), &buf[0], got)
			}
		}
	}
}

// connectionOnce is what the benchmark and the pin measure: a connection that comes,
// upgrades, sends a close frame and is gone.
func connectionOnce(tb testing.TB) func() {
	l := still(tb, nil)
	from := l.listeners[0]
	greeting, goodbye := []byte(hello), masked(ws.OpClose, closeBody(ws.StatusNormalClosure, ""), true)
	answer := make([]byte, 512)
	return func() {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			tb.Fatal(err)
		}
		l.place(pair[0], from)
		for _, b := range [...][]byte{greeting, goodbye} {
			if _, err := unix.Write(pair[1], b); err != nil {
				tb.Fatal(err)
			}
			if err := l.event(pair[0], unix.EPOLLIN|unix.EPOLLOUT); err != nil {
				tb.Fatal(err)
			}
			if n, err := unix.Read(pair[1], answer); n <= 0 || err != nil {
				tb.Fatal(n, err)
			}
		}
		if l.count.Load() != 0 {
			tb.Fatal("the connection is still there")
		}
		_ = unix.Close(pair[1])
	}
}

// BenchmarkConnection is the life of a connection, its system calls included.
func BenchmarkConnection(b *testing.B) {
	once := connectionOnce(b)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}
