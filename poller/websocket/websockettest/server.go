package websockettest

import (
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"echogate/poller/websocket"
)

// A Server is an event loop without sockets. Its methods, and those of its
// Clients, are for one goroutine.
type Server struct {
	// Remote is the address that every client comes from. It is one of those
	// that RFC 5737 keeps for examples until it is set.
	Remote netip.AddrPort
	// TLS is what the encryption of every client is said to be; zero: there is
	// none. It may be changed between calls.
	TLS websocket.TLS
	// Local is the address that they connect to, another of those.
	Local netip.AddrPort

	conn    *websocket.Conn
	clients []*Client // by ID; the first is never used
	now     time.Duration
	timers  []timer
	timerID uint32
	jobs    []job
	buffers int
	head    []byte // output of the read under way that leaves before Receive's

	mu   sync.Mutex // guards mail, the list of clients, and who of them is over or full
	mail []letter
}

type timer struct {
	id   uint32
	at   time.Duration
	conn *Client
	f    func(*websocket.Conn) error
}

type job struct {
	conn *Client
	run  func() func(*websocket.Conn) error
}

// A letter is what a Handle has posted.
type letter struct {
	to *Client
	f  func(*websocket.Conn) error // nil: it is to be read again
}

// NewServer serves a routing table. It panics when the table is bad.
func NewServer(table map[string]websocket.Route) *Server {
	routes, err := websocket.Compile(table)
	if err != nil {
		panic(err)
	}
	return NewServerOf(routes)
}

// NewServerOf serves a table that is compiled already.
func NewServerOf(routes *websocket.Routes) *Server {
	s := &Server{
		Remote:  netip.MustParseAddrPort("192.0.2.1:1234"),
		Local:   netip.MustParseAddrPort("192.0.2.2:80"),
		clients: make([]*Client, 1),
	}
	s.conn = websocket.NewConn(loop{s}, routes)
	return s
}

// Dial connects to target, a path and perhaps a query, with more header lines
// than an upgrade needs ("Origin: https://example.com"). Whether the upgrade was
// refused is in the Client's Response.
func (s *Server) Dial(target string, header ...string) *Client {
	c := s.connect()
	c.Write(request(target, slices.Concat(upgradeLines, header)))
	c.response = c.takeResponse()
	return c
}

// upgradeLines are those of RFC 6455 §1.2.
var upgradeLines = []string{
	"Upgrade: websocket",
	"Connection: Upgrade",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	"Sec-WebSocket-Version: 13",
}

// Get returns what a plain GET request of target is answered.
func (s *Server) Get(target string, header ...string) *http.Response {
	c := s.connect()
	c.Write(request(target, header))
	c.Hangup(websocket.ErrEOF)
	return c.takeResponse()
}

func (s *Server) connect() *Client {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Client{server: s, id: uint64(len(s.clients))}
	s.clients = append(s.clients, c)
	return c
}

func request(target string, header []string) []byte {
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: example.com"}, header...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// Now is the clock, which only Advance moves.
func (s *Server) Now() time.Duration { return s.now }

// Advance sets the clock d forward and runs the timers that are due, in order.
func (s *Server) Advance(d time.Duration) {
	s.settle()
	end := s.now + d
	for {
		i := s.earliest()
		if i < 0 || s.timers[i].at > end {
			break
		}
		t := s.timers[i]
		s.timers = slices.Delete(s.timers, i, i+1)
		s.now = max(s.now, t.at)
		s.call(t.conn, t.f)
		s.settle()
	}
	s.now = end
}

// earliest is the index of the timer that is due first; -1: there is none. Those
// of the same time run in the order they were made.
func (s *Server) earliest() int {
	first := -1
	for i := range s.timers {
		if first < 0 || s.timers[i].at < s.timers[first].at {
			first = i
		}
	}
	return first
}

// Timers is how many timers of Conn.After wait.
func (s *Server) Timers() int { return len(s.timers) }

// RunJobs runs the jobs of Conn.Go and their answers, until none is left.
func (s *Server) RunJobs() {
	s.settle()
	for len(s.jobs) > 0 {
		j := s.jobs[0]
		s.jobs = s.jobs[1:]
		s.answer(j.conn, try(j.run))
		s.settle()
	}
}

// try runs a job. A panic is what it answers.
func try(run func() func(*websocket.Conn) error) (answer func(*websocket.Conn) error) {
	defer func() {
		if v := recover(); v != nil {
			err := &websocket.PanicError{Value: v, Stack: debug.Stack()}
			answer = func(*websocket.Conn) error { return err }
		}
	}()
	return run()
}

// answer ends a job: its connection is read again.
func (s *Server) answer(c *Client, f func(*websocket.Conn) error) {
	if c.over {
		return
	}
	s.bind(c)
	s.conn.JobDone()
	if f != nil {
		s.call(c, func(c *websocket.Conn) error { return c.Answer(f) })
	}
	s.read(c)
}

// Buffers is how many buffers the connections hold together: none, when nothing
// is unfinished.
func (s *Server) Buffers() int { return s.buffers }
