package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller/address"
	"echogate/poller/websocket"
)

// Server is a set of event loops that serve one routing table. Its methods may
// be called from any goroutine.
type Server struct {
	// Immutable.
	routes     *websocket.Routes // of the start
	log        *slog.Logger
	start      time.Time
	table      table
	identities identities
	loops      []*loop
	access     *accessLog // nil: none
	listeners  []*listener
	accept     func(fd int) (int, syscall.Errno)
	dead       chan struct{} // closed when err is set
	ended      chan struct{} // closed when the loops have ended

	// Shared.
	config    atomic.Pointer[Config] // in force, with nothing left open; replaced whole
	jobs      jobs
	steps     jobs // of handshakes of TLS
	addresses addresses
	budget    budget
	gate      gate
	posted    atomic.Int64  // bytes of Handle.Send and Do in mailboxes
	away      atomic.Uint64 // times that a loop was away
	refused   atomic.Int32  // connections above the cap, whose request will be refused
	starved   atomic.Int32  // listeners that are paused
	serving   atomic.Int32  // listeners that are open: any of them may hand a connection to any loop
	relief    atomic.Bool   // a descriptor was freed since
	running   atomic.Bool   // Run has begun
	draining  atomic.Bool   // the loops were told to end
	once      sync.Once
	err       error      // why the server failed
	reloading sync.Mutex // guards version and inUse
	version   uint16     // of the newest routes
	inUse     []uint16   // versions that connections had at the last reload
	mu        sync.Mutex // guards names and the closing of listeners
	names     []string   // patterns of all tables there were
}

// New opens the listeners and makes the loops. Nothing is served until Run,
// which must be called to give them back.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config.resolve()
	s := &Server{
		log: config.Log, start: time.Now(), accept: accept,
		version: 1,
		routes:  config.Routes.With(1, config.Limits, config.MaxHead),
		table:   newTable(descriptors()),
		dead:    make(chan struct{}), ended: make(chan struct{}),
	}
	s.identities = make(identities, len(s.table.chunks))
	s.config.Store(&config)
	s.jobs.max = config.Jobs
	s.steps.max, s.steps.queue = stepsPerCore*runtime.GOMAXPROCS(0), stepQueue
	if config.AccessLog != nil {
		s.access = newAccessLog(config.AccessLog)
	}
	if err := s.open(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open() error {
	taken, err := s.inherit()
	if err != nil {
		return err
	}
	for i, text := range s.conf().Listen {
		if taken[i] {
			continue
		}
		ln, err := listen(text)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, ln)
	}
	for i := range s.conf().Loops {
		l, err := newLoop(s, i)
		if err != nil {
			return fmt.Errorf("poller: event loop: %w", err)
		}
		s.loops = append(s.loops, l)
	}
	for i, ln := range s.listeners {
		if err := ln.userTimeout(s.conf().userTimeout()); err != nil {
			return err
		}
		if err := ln.buffers(s.conf().SocketBuffer, s.log); err != nil {
			return err
		}
		if err := s.loops[i%len(s.loops)].serve(ln); err != nil {
			return err
		}
		s.serving.Add(1)
	}
	return nil
}

// inherit takes the inherited sockets that Listen names, or all without Listen.
// taken says by index in Listen which addresses have one.
func (s *Server) inherit() (taken []bool, err error) {
	taken = make([]bool, len(s.conf().Listen))
	for _, fd := range s.conf().Inherited {
		ln, err := adoptListener(fd)
		if err != nil {
			return nil, err
		}
		if slices.Contains(s.conf().Made, fd) {
			ln.made, _ = fileAt(ln.addr.String()) // gone: there is nothing to remove
		}
		if len(taken) > 0 && !s.named(ln, taken) {
			s.log.Warn("inherited socket is not among the listen addresses: closed", "addr", ln.addr)
			_ = unix.Close(fd)
			continue
		}
		s.listeners = append(s.listeners, ln)
	}
	return taken, nil
}

// named gives an inherited socket the options of the address in Listen that
// names it, if one does. An address that leaves its port to the kernel names the
// first of its host that no other address names: a take-over keeps the port.
func (s *Server) named(ln *listener, taken []bool) bool {
	is := -1
	for i, text := range s.conf().Listen {
		a, err := address.Parse(text)
		if err != nil {
			continue // listen says why
		}
		if sameAddress(ln, a) {
			is = i
			break
		}
		if is < 0 && !taken[i] && couldBe(ln, a) {
			is = i
		}
	}
	if is < 0 {
		return false
	}
	a, _ := address.Parse(s.conf().Listen[is])
	ln.Options, taken[is] = a.Options, true
	return true
}

// close gives back everything; no loop runs any more.
func (s *Server) close() {
	for _, l := range s.loops {
		for _, x := range l.close() {
			switch x.kind {
			case letterAdopt:
				_ = unix.Close(int(x.to.FD))
			case letterStepped:
				x.session.abandon()
			}
		}
	}
	for _, ln := range s.listeners {
		if ln.fd >= 0 {
			ln.made.remove()
			_ = unix.Close(ln.fd)
			ln.fd = -1
		}
	}
}

// now is the server's age in ticks, which wraps after 497 days. It begins at 1.
func (s *Server) now() uint32 { return uint32(s.age()) }

// age is the server's age in ticks, begun at 1.
func (s *Server) age() uint64 { return uint64(time.Since(s.start)/tickTime) + 1 }

// Addrs are the addresses that are listened on, in the order of Listen.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, ln := range s.listeners {
		addrs[i] = ln.addr
	}
	return addrs
}

// MaxConnections is the cap in force.
func (s *Server) MaxConnections() int { return s.conf().MaxConnections }

// Config is the configuration in force, with nothing left open.
func (s *Server) Config() Config { return *s.conf() }

// conf is the configuration in force.
func (s *Server) conf() *Config { return s.config.Load() }

// Loops is the number of event loops.
func (s *Server) Loops() int { return len(s.loops) }

// Run serves until ctx ends, then drains: listeners close, connections are sent
// away with 1001 over Config.Drain, and what is left at Config.DrainTimeout is
// cut. It returns nil after that, or why the server failed. No goroutine and no
// descriptor is left.
func (s *Server) Run(ctx context.Context) error {
	s.running.Store(true)
	var loops sync.WaitGroup
	for _, l := range s.loops {
		loops.Go(func() {
			if err := l.run(); err != nil {
				s.fail(fmt.Errorf("poller: event loop: %w", err))
			}
		})
	}
	go func() {
		loops.Wait()
		close(s.ended)
	}()
	var others sync.WaitGroup // end with the loops
	others.Go(s.watch)
	if s.access != nil {
		others.Go(s.access.write)
	}
	select {
	case <-ctx.Done():
		s.stop()
	case <-s.dead:
		s.Cut()
	case <-s.ended: // by Cut
	}
	if !s.wait(s.ended) {
		return errors.New("poller: a loop did not stop: a handler blocks it")
	}
	s.finish()
	others.Wait()
	return s.err
}

// stop drains, and cuts what is left at the deadline.
func (s *Server) stop() {
	s.draining.Store(true)
	s.each(func(l *loop) { l.beginDrain() })
	deadline := make(<-chan time.Time) // never
	if d := s.conf().DrainTimeout; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		deadline = timer.C
	}
	select {
	case <-s.ended:
	case <-s.dead:
		s.Cut()
	case <-deadline:
		s.Cut()
	}
}

// wait waits for the loops, but not for ever: a handler may block one.
func (s *Server) wait(done <-chan struct{}) bool {
	timer := time.NewTimer(cutTime)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// cutTime is how long loops, and jobs that run, may take to end after a cut.
const cutTime = 5 * time.Second

// finish is what comes after the loops.
func (s *Server) finish() {
	s.close()
	if s.access != nil {
		close(s.access.lines)
	}
	s.jobs.close()
	jobs := make(chan struct{})
	go func() {
		s.jobs.done.Wait()
		s.steps.done.Wait()
		close(jobs)
	}()
	if !s.wait(jobs) {
		s.log.Warn("a job did not end with the server")
	}
}

// Cut ends all connections at once, and with them Run.
func (s *Server) Cut() {
	s.draining.Store(true)
	s.each(func(l *loop) { l.cutAll() })
}

// fail ends the server for err.
func (s *Server) fail(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.dead)
	})
}

// each posts a task to every loop that still runs, and returns how many those
// are.
func (s *Server) each(f func(*loop)) (n int) {
	for _, l := range s.loops {
		if l.mail.post(l, letter{kind: letterTask, task: func() { f(l) }}) == nil {
			n++
		}
	}
	return n
}

// freed tells paused listeners that a descriptor is free.
func (s *Server) freed() {
	if s.starved.Load() > 0 {
		s.relief.Store(true)
	}
}
