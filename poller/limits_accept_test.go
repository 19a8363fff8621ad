package poller

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// limits.md E1: where descriptors or memory have run out accepting pauses and
// comes back by itself; who is connected does not notice.
func TestAcceptRunsOut(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		t.Run(errno.Error(), func(t *testing.T) {
			s := prepare(t, map[string]websocket.Route{"/": echoing}, nil)
			var exhausted atomic.Bool
			var calls atomic.Int64
			real := s.accept
			s.accept = func(fd int) (int, syscall.Errno) {
				calls.Add(1)
				if exhausted.Load() {
					return -1, errno
				}
				return real(fd)
			}
			s.run()
			connected := s.dial("/")
			exhausted.Store(true)
			before, begun := calls.Load(), time.Now()
			waiting := s.connect()
			s.until("four failed accepts", func(got Stats) bool { return got.Refused[RefusedAccept] >= 4 })
			connected.echo("unaffected")
			// Pauses of 10, 20 and 40 ms lie between them: no loop spins.
			if got, most := calls.Load()-before, int64(4+time.Since(begun)/pauseFirst); got > most {
				t.Errorf("got %d calls of accept, want at most %d", got, most)
			}
			if s.log.lines("accepting paused") == 0 {
				t.Errorf("got log %q, want a line that says so", s.log)
			}
			exhausted.Store(false)
			waiting.upgrade("/").echo("served at last")
			s.dial("/").echo("and so is this one")
		})
	}
}

// TestAcceptResumesInTheEnd: a listener that the kernel has no memory to watch again
// is paused once more, and the server lives (limits.md E1).
func TestAcceptResumesInTheEnd(t *testing.T) {
	l := still(t, nil)
	ln := l.listeners[0]
	l.pauseAccept(ln, pauseFirst)
	if err := l.watch(ln.fd, unix.EPOLLIN); err != nil { // a second time epoll refuses
		t.Fatal(err)
	}
	later(t, l, 500*time.Millisecond)
	if ln.paused == 0 || l.srv.starved.Load() != 1 {
		t.Errorf("paused until %d, %d starved, want a pause and one", ln.paused, l.srv.starved.Load())
	}
	select {
	case <-l.srv.dead:
		t.Fatalf("the server has ended: %v", l.srv.err)
	default:
	}
	later(t, l, 500*time.Millisecond)
	if ln.paused != 0 || l.srv.starved.Load() != 0 {
		t.Errorf("paused until %d, %d starved, want accepting", ln.paused, l.srv.starved.Load())
	}
	if err := l.watch(ln.fd, unix.EPOLLIN); !errors.Is(err, unix.EEXIST) {
		t.Errorf("got %v, want a listener that is watched", err)
	}
}

// A descriptor that is freed brings accepting back before its pause is over.
func TestAcceptResumesAtClose(t *testing.T) {
	t.Parallel()
	s := prepare(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 1 })
	var exhausted atomic.Bool
	real := s.accept
	s.accept = func(fd int) (int, syscall.Errno) {
		if exhausted.Load() {
			return -1, unix.EMFILE
		}
		return real(fd)
	}
	s.listeners[0].pause = time.Hour
	s.run()
	connected := s.dial("/")
	s.onLoops(func(l *loop) { l.listeners[0].pause = time.Hour }) // a good accept has made it short
	exhausted.Store(true)
	waiting := s.connect()
	s.until("a failed accept", func(got Stats) bool { return got.Refused[RefusedAccept] == 1 })
	exhausted.Store(false)
	connected.Close()
	waiting.upgrade("/").echo("served")
}

// limits.md E1, with a descriptor limit and a process of its own.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	p := startProcess(t, nil)
	const allowed, more = 20, 10
	p.tell(fmt.Sprint("limit ", allowed))
	var served []*client
	for range allowed {
		c := connectTo(t, p.addr, 0).upgrade("/echo")
		c.echo("hello")
		served = append(served, c)
	}
	var waiting []*client
	for range more {
		c := connectTo(t, p.addr, 0)
		c.write([]byte(request("/echo")))
		waiting = append(waiting, c)
	}
	before := p.tell("stats")
	for range 5 {
		for _, c := range served {
			c.echo("unaffected")
		}
	}
	after := p.tell("stats")
	if got := after.Stats; got.Refused[RefusedAccept] == 0 || got.Connections < allowed || got.Connections >= allowed+more {
		t.Errorf("got %+v, want about %d connections and failed accepts", got, allowed)
	}
	if got, most := after.Stats.Refused[RefusedAccept]-before.Stats.Refused[RefusedAccept], uint64(100); got > most {
		t.Errorf("got %d failed accepts for %d waiting clients: it spins", got, more)
	}
	for i, c := range waiting {
		served[i].Close()
		c.upgraded()
		c.echo("served at last")
	}
}

// limits.md E2: above the cap a client is told so, and a place that is freed can
// be used.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxConnections = 10 })
	if got := s.MaxConnections(); got != 10 {
		t.Errorf("got a cap of %d, want 10", got)
	}
	var served []*client
	for range 10 {
		c := s.dial("/")
		c.echo("hello")
		served = append(served, c)
	}
	for i := range 5 {
		c := s.connect()
		c.write([]byte(request("/")))
		r, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !r.Close {
			t.Errorf("got %s, %v, want 503 with Retry-After and Connection: close", r.Status, r.Header)
		}
		c.wantEOF()
		c.Close()
		s.until("its place given back", func(got Stats) bool {
			return got.Closed[websocket.CauseHTTP] == uint64(i+1) && got.Connections == 10
		})
	}
	if got := s.Stats(); got.Refused[RefusedMaxConnections] != 5 || got.Rejected[websocket.RejectServer] != 5 {
		t.Errorf("got refused %v, rejected %v, want 5 for max_connections, server", got.Refused, got.Rejected)
	}
	for _, c := range served[:5] {
		c.echo("unaffected")
		c.Close()
	}
	s.until("five places", func(got Stats) bool { return got.Connections == 5 })
	for range 5 {
		s.dial("/").echo("in a freed place")
	}
}

// limits.md E2: who is refused gets a place for the time that takes, as far as
// descriptors go; beyond that the connection is closed.
func TestMaxConnectionsReserve(t *testing.T) {
	t.Parallel()
	const held = 20
	s := prepare(t, map[string]websocket.Route{"/": echoing}, func(c *Config) {
		c.MaxConnections, c.HandshakeTimeout = 1, time.Hour // who is not refused a place stays
	})
	if got, want := s.conf().refusals, descriptors()-reserve-1; got != want {
		t.Errorf("got %d places for who is refused, want the %d that descriptors are left for", got, want)
	}
	s.conf().refusals = held
	s.run()
	s.dial("/").echo("the one")
	for range held {
		s.connect() // and does not ask
	}
	s.until("the reserve taken", func(got Stats) bool { return got.Connections == 1+held })
	s.connect().wantEOF()
	if got := s.Stats().Refused[RefusedMaxConnections]; got != held+1 {
		t.Errorf("got %d refused, want %d", got, held+1)
	}
}

// limits.md E2 at full size: half more clients than places. Who fits echoes, all
// others get 503 although nobody makes room for them, and freed places are
// usable within a second (ten, on a machine that does something else).
func TestMaxConnectionsCrowd(t *testing.T) {
	t.Parallel()
	const places, more = 1000, 500
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.MaxConnections = places })
	var served []*client
	for range places {
		served = append(served, s.dial("/"))
	}
	for range more {
		c := s.connect()
		c.write([]byte(request("/"))) // and the client stays, for as long as it is let
		if r, err := http.ReadResponse(c.r, nil); err != nil || r.StatusCode != 503 {
			t.Fatalf("got %v, %v, want 503", r, err)
		}
	}
	if got := s.Stats(); got.Refused[RefusedMaxConnections] != more || got.Rejected[websocket.RejectServer] != more {
		t.Errorf("got refused %v, rejected %v, want %d for max_connections, server", got.Refused, got.Rejected, more)
	}
	for _, c := range served {
		c.echo("unaffected")
		c.Close()
	}
	begun := time.Now()
	s.until("a place freed", func(got Stats) bool { return got.Closed[websocket.CauseEOF] > 0 })
	s.dial("/").echo("in a freed place")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the first place was used after %s", took)
	}
	s.until("all places freed", func(got Stats) bool { return got.Closed[websocket.CauseEOF] == places })
	for range places - 1 {
		s.dial("/").echo("in a freed place")
	}
}

// limits.md E3: an error of the one connection is counted, and the next one is
// accepted.
func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	errnos := []syscall.Errno{
		unix.ECONNABORTED, unix.EINTR, unix.EPROTO, unix.EPERM, unix.ENETDOWN, unix.ENOPROTOOPT, unix.EHOSTDOWN,
		unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH, unix.ETIMEDOUT,
	}
	s := prepare(t, map[string]websocket.Route{"/": echoing}, nil)
	real, calls := s.accept, 0 // one listener: one goroutine calls it
	s.accept = func(fd int) (int, syscall.Errno) {
		if calls++; calls <= len(errnos) {
			return -1, errnos[calls-1]
		}
		return real(fd)
	}
	s.run()
	s.dial("/").echo("accepted after them all")
	if got := s.Stats().Refused[RefusedAccept]; got != uint64(len(errnos)) {
		t.Errorf("got %d errors counted, want %d", got, len(errnos))
	}
}

// limits.md E5: an accept storm is taken in bounded bites; what else the loop
// has to do comes between them.
func TestAcceptBatch(t *testing.T) {
	t.Parallel()
	const clients = 5 * acceptBatch
	s := prepare(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 1 })
	real, accepted, most := s.accept, 0, 0 // of the loop
	s.accept = func(fd int) (int, syscall.Errno) {
		nfd, errno := real(fd)
		if errno == 0 {
			accepted++
		}
		return nfd, errno
	}
	for range clients { // they wait in the backlog
		s.connect()
	}
	l, done := s.loops[0], make(chan struct{})
	var look func()
	seen := 0
	look = func() { // runs once in every turn of the loop
		most, seen = max(most, accepted-seen), accepted
		if accepted == clients {
			close(done)
			return
		}
		_ = l.mail.post(l, letter{kind: letterTask, task: look})
	}
	if err := l.mail.post(l, letter{kind: letterTask, task: look}); err != nil {
		t.Fatal(err)
	}
	s.run()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("not all of %d clients were accepted: %+v", clients, s.Stats())
	}
	if most > acceptBatch {
		t.Errorf("got %d accepted in one turn, want at most %d", most, acceptBatch)
	}
}

// limits.md E6: the loops have the same number of connections, within 10 %, be
// they accepted at once or after others have gone.
func TestLoopsAreEven(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 4 })
	even := func(n int) {
		t.Helper()
		s.until("all connected", func(got Stats) bool { return got.Connections == n && len(got.PerLoop) == 4 })
		for _, got := range s.Stats().PerLoop {
			if got < n/4*9/10 || got > n/4*11/10+1 {
				t.Errorf("got %v connections per loop, want %d each, within 10 %%", s.Stats().PerLoop, n/4)
			}
		}
	}
	var clients []*client
	for range 200 {
		clients = append(clients, s.dial("/"))
	}
	even(200)
	for _, c := range clients[:90] {
		c.Close()
	}
	s.until("some gone", func(got Stats) bool { return got.Connections == 110 })
	for range 90 {
		s.dial("/")
	}
	even(200)
}

// limits.md E7: a listener that dies ends the server, and Run says why.
func TestListenerDies(t *testing.T) {
	t.Parallel()
	s := prepare(t, map[string]websocket.Route{"/": echoing}, nil)
	fd, addr := s.listeners[0].fd, s.Addrs()[0].String()
	s.run()
	c := s.dial("/")
	c.echo("so far")
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	err := s.wait()
	if err == nil || !strings.Contains(err.Error(), "accept on "+addr) {
		t.Errorf("got %v, want an error that names accept and %s", err, addr)
	}
	c.wantReset()
}
