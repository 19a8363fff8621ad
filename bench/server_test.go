package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

// asProgram makes the test binary be the load generator or, when it is given
// the flag of the servers of a comparison, one of them.
const asProgram = "BENCH_TEST_BE_THE_PROGRAM"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asProgram) == "":
	case len(os.Args) == 3 && os.Args[1] == "--listen":
		beServer(os.Args[2], echo)
	case len(os.Args) == 7 && os.Args[1] == "--tls-cert":
		beSecure(os.Args[6], os.Args[2], os.Args[4])
	case len(os.Args) == 3 && os.Args[1] == "--leak":
		beServer("127.0.0.1:"+os.Args[2], leak)
	case len(os.Args) == 3 && os.Args[1] == "--stubborn":
		signal.Ignore(syscall.SIGTERM)
		beServer(os.Args[2], echo)
	case len(os.Args) == 3 && os.Args[1] == "--orderly":
		beOrderly(os.Args[2])
	default:
		main()
	}
	goleak.VerifyTestMain(m)
}

// waitAtMost is how long a test waits for what must happen.
const waitAtMost = 60 * time.Second

// answer is what a server does with the data frame number n, counted from 0
// over all its connections. The payload is unmasked. An error ends the
// connection.
type answer func(c net.Conn, n int64, f ws.Frame) error

// echo answers as a good server does.
func echo(c net.Conn, _ int64, f ws.Frame) error {
	return ws.WriteFrame(c, ws.NewFrame(f.Header.OpCode, true, f.Payload))
}

// leak echoes, and keeps a descriptor for every 500 messages.
func leak(c net.Conn, n int64, f ws.Frame) error {
	if n%500 > 0 {
		return echo(c, n, f)
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	leaked.Lock()
	leaked.files = append(leaked.files, file) // else the collector would close it
	leaked.Unlock()
	return echo(c, n, f)
}

var leaked struct {
	sync.Mutex
	files []*os.File
}

// testServer is a WebSocket server of gobwas/ws that does as it is told.
type testServer struct {
	net.Listener
	answer  answer
	serve   func(c net.Conn) // the connection ends when it returns
	upgrade func(c net.Conn) error
	opened  func(c net.Conn) error // after the upgrade
	state   ws.State               // beside the server's side
	pong    func(payload []byte)
	closed  func()       // a close frame has come
	frames  atomic.Int64 // of data that have come
	mu      sync.Mutex
	conns   map[net.Conn]bool
	gone    *sync.Cond // one of them has
	running sync.WaitGroup
}

// beServer echoes until it is killed.
func beServer(address string, a answer) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	newServer(ln, a).accept()
}

// beOrderly echoes until it gets SIGTERM, and says so.
func beOrderly(address string) {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go beServer(address, echo)
	<-terminated
	fmt.Println("ended in order")
	os.Exit(0)
}

func newServer(ln net.Listener, a answer) *testServer {
	s := &testServer{Listener: ln, answer: a, conns: make(map[net.Conn]bool), pong: func([]byte) {}, closed: func() {}}
	s.serve, s.gone = s.webSocket, sync.NewCond(&s.mu)
	s.upgrade = func(c net.Conn) error {
		_, err := ws.Upgrade(c)
		return err
	}
	return s
}

// startServer starts a server that answers data frames with a. It ends with the
// test.
func startServer(t *testing.T, a answer, change ...func(*testServer)) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(ln, a)
	for _, f := range change {
		f(s)
	}
	s.running.Go(s.accept)
	t.Cleanup(func() {
		s.Close()
		s.drop()
		s.running.Wait()
	})
	return s
}

// startRaw starts a server that does nothing by itself.
func startRaw(t *testing.T, serve func(c net.Conn)) *testServer {
	t.Helper()
	return startServer(t, nil, func(s *testServer) { s.serve = serve })
}

func (s *testServer) url() string { return "ws://" + s.Addr().String() + "/echo" }

// drop ends all connections.
func (s *testServer) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// idle waits until all connections have ended.
func (s *testServer) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 {
		s.gone.Wait()
	}
}

func (s *testServer) accept() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.running.Go(func() {
			s.serve(c)
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.gone.Broadcast()
			s.mu.Unlock()
		})
	}
}

func (s *testServer) webSocket(c net.Conn) {
	if s.upgrade(c) != nil {
		return
	}
	if s.opened != nil && s.opened(c) != nil {
		return
	}
	for {
		f, err := readFrame(c)
		if err != nil || ws.CheckHeader(f.Header, ws.StateServerSide|s.state) != nil {
			return
		}
		f = ws.UnmaskFrameInPlace(f)
		switch {
		case f.Header.OpCode == ws.OpClose:
			s.closed()
			_ = ws.WriteFrame(c, ws.NewCloseFrame(f.Payload))
			return
		case f.Header.OpCode == ws.OpPong:
			s.pong(f.Payload)
		default:
			if s.answer(c, s.frames.Add(1)-1, f) != nil {
				return
			}
		}
	}
}

// readFrame reads a whole frame, unless it is larger than what tests send.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	if f.Header.Length > 16<<20 {
		return f, io.ErrShortBuffer
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// small is a load that is over soon; change makes of it what a test needs.
func small(mode string, change func(*load)) load {
	d := load{
		Mode: mode, Size: 64, Duration: waitAtMost, Timeout: waitAtMost,
		Connections: 4, InFlight: 4, Pipeline: 1, Messages: -1,
	}
	change(&d)
	return d
}

// measureServers runs a load, in this process, against servers.
func measureServers(t *testing.T, d load, urls ...string) *Result {
	t.Helper()
	return measureWith(t, measurement{load: d}, urls...)
}

func measureWith(t *testing.T, m measurement, urls ...string) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*waitAtMost)
	defer cancel()
	var err error
	if m.load.Servers, err = lookUpAll(ctx, urls, m.load.Sources); err != nil {
		t.Fatal(err)
	}
	m.interval = 100 * time.Millisecond
	if m.show == nil {
		m.show = func(Live) {}
	}
	r, err := m.run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantErrors fails unless the errors of r are n of this kind.
func wantErrors(t *testing.T, r *Result, k Kind, n int64) {
	t.Helper()
	var want Counts
	want[k] = n
	if r.ErrorsByKind != want {
		t.Errorf("got errors %s, want %d of kind %v; notes: %q", jsonOf(t, r.ErrorsByKind), n, k, r.Notes)
	}
}
