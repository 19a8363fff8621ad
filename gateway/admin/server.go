package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"echogate/poller"
)

const (
	// headTime is what a client has for the head of its request, requestTime for
	// all of it; idleTime is how long a connection may wait for the next one.
	headTime, requestTime, idleTime = 5 * time.Second, 10 * time.Second, 30 * time.Second
	// answerTime is what an answer may take that has no time of its own.
	answerTime = 30 * time.Second
	// headBytes is more than a browser sends.
	headBytes = 16 << 10
	// maxClients is how many connections a listener has at a time; more wait in
	// the kernel. Their descriptors come from those that the server leaves free.
	maxClients = 64
	// closeTime is what requests under way have when the gateway ends.
	closeTime = time.Second
)

// Config is what a Server is made of.
type Config struct {
	// Gateway is what it tells of.
	Gateway *poller.Server
	// Version is the program's.
	Version string
	// Counters are those that other packages keep.
	Counters []Counter
	// Log gets what an operator must know.
	Log *slog.Logger
	Options
}

// Options are the part of the configuration that may change while it serves.
type Options struct {
	// Open lets everybody who reaches the port have everything.
	Open bool
	// ReadyConnections is the number of connections above which the gateway is
	// not ready for more; 0: none.
	ReadyConnections int
}

// Server serves the admin port. Its methods may be called from any goroutine.
type Server struct {
	// Immutable.
	gateway  *poller.Server
	version  string
	start    time.Time
	resident int // bytes of the process then
	log      *slog.Logger
	http     *http.Server
	failed   chan error // why a listener died

	// Shared.
	options atomic.Pointer[Options]
	leaving atomic.Bool
	yielded atomic.Bool
	rehearsal
	mu        sync.Mutex // guards listeners
	listeners []net.Listener
	serving   sync.WaitGroup
}

// New makes a Server, which answers nobody before Serve.
func New(c Config) *Server {
	s := &Server{
		gateway: c.Gateway, version: c.Version, start: time.Now(), resident: resident(), log: c.Log, failed: make(chan error, 1),
	}
	s.Set(c.Options)
	s.http = &http.Server{
		Handler:           s.guard(s.handler(c.Counters)),
		ReadHeaderTimeout: headTime,
		ReadTimeout:       requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headBytes,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug), // what its clients do wrong
	}
	return s
}

// handler is the table of paths.
func (s *Server) handler(counters []Counter) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.metrics(counters))
	mux.HandleFunc("GET /connections", s.connections)
	mux.HandleFunc("POST /drain", s.drain)
	mux.HandleFunc("GET /live", s.live)
	pageFiles(mux)
	profiles(mux)
	return mux
}

// Serve serves the listeners, which it owns from then on. It does not wait.
func (s *Server) Serve(listeners ...net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, listeners...)
	for _, ln := range listeners {
		s.serving.Go(func() {
			err := s.http.Serve(netutil.LimitListener(ln, maxClients))
			if !errors.Is(err, http.ErrServerClosed) && !s.yielded.Load() {
				select {
				case s.failed <- err:
				default: // one reason is enough
				}
			}
		})
	}
}

// Failed gets why a listener died.
func (s *Server) Failed() <-chan error { return s.failed }

// Set changes the options.
func (s *Server) Set(o Options) { s.options.Store(&o) }

// Leave makes the gateway not ready from now on: it drains.
func (s *Server) Leave() { s.leaving.Store(true) }

// Addrs are the addresses that are listened on.
func (s *Server) Addrs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]string, len(s.listeners))
	for i, ln := range s.listeners {
		addrs[i] = ln.Addr().String()
	}
	return addrs
}

// Sockets duplicates the listening sockets, in the order of Addrs, for a process
// that is to serve them. They are the caller's to close, after an error too.
func (s *Server) Sockets() (fds []int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.listeners {
		raw, err := ln.(syscall.Conn).SyscallConn()
		if err != nil {
			return fds, err
		}
		var failed error
		err = raw.Control(func(fd uintptr) {
			var own int
			if own, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
				fds = append(fds, own)
			}
		})
		if err := errors.Join(err, os.NewSyscallError("fcntl", failed)); err != nil {
			return fds, err
		}
	}
	return fds, nil
}

// Yield leaves the listening sockets to another process that has them. Answers
// under way are given.
func (s *Server) Yield() {
	s.yielded.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.listeners {
		if u, ok := ln.(interface{ SetUnlinkOnClose(bool) }); ok {
			u.SetUnlinkOnClose(false) // its file is the other's now
		}
		ln.Close()
	}
	s.listeners = nil
	s.http.SetKeepAlivesEnabled(false)
}

// Close ends the Server: no goroutine and no descriptor is left. What is under
// way has a second.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	s.serving.Wait()
}
