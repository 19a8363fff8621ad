package poller

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/address"
	"echogate/poller/websocket"
)

// maxDeadline is the longest wait: ticks of 10 ms in 32 bits are compared by
// signed difference, which holds for 248 days.
const maxDeadline = 240 * 24 * time.Hour

// Config is what a Server is made of. Start from Default.
type Config struct {
	// Listen are the addresses: "host:port", ":port" for all addresses of both
	// families, port 0 for any free port, each with the options of package
	// address behind it.
	Listen []string
	// Inherited are descriptors of sockets that listen already. One whose
	// address Listen names takes its place, one that could be a free port's the
	// place of that, so that the port is kept; without Listen all are served;
	// others are closed with a log line. The Server owns them from New on.
	Inherited []int
	// Made are those of Inherited that are unix sockets of a server before this
	// one: their files are removed when this one stops, as if it had made them.
	Made []int
	// SocketBuffer is the kernel's memory for each direction of a connection, in
	// bytes; 0: its own tuning.
	SocketBuffer int
	// Loops is the number of event loops; 0: one for each CPU that Go may use. With
	// fewer loops than that (runtime.GOMAXPROCS) a loop under load keeps its
	// processor while it waits, which is cheaper.
	Loops int
	// Routes is the routing table. Limits fills what its routes leave open.
	Routes *websocket.Routes
	Limits websocket.Limits
	// TLS has what comes to the listeners be of TLS, unless their address says
	// tls=off; nil: plain. It is used as it
	// is: NextProtos should say "http/1.1". Reload may replace it, for handshakes
	// that begin afterwards. Its functions run off the loops; of the Conn that
	// they are shown they may ask RemoteAddr alone.
	TLS *tls.Config
	// MaxHead bounds a request's head in bytes, at most 64 KiB.
	MaxHead int
	// HandshakeTimeout is the time from accept, or from a later request's first
	// byte, to a whole request; HTTPIdle that between two plain requests. 0: off.
	HandshakeTimeout, HTTPIdle time.Duration
	// MaxConnections is the cap on connections; 0: descriptors − 256.
	MaxConnections int
	// MaxPerAddress is the cap on connections from one IPv4 address, or from one
	// IPv6 network of 64 bits; 0: off.
	MaxPerAddress int
	// Trusted reports whether a peer may say in whose name it speaks: a proxy. The
	// zero Addr stands for all peers on unix sockets. nil: nobody may.
	Trusted func(peer netip.Addr) bool
	// Preface reads the PROXY protocol header in front of what came on an address
	// of Listen with proxy=required: n bytes of it, 0 when more must arrive first.
	// client is whom it names, zero when it names nobody. An error refuses the
	// connection with 400, and so does a peer that is not Trusted.
	Preface func(in []byte) (n int, client netip.AddrPort, err error)
	// Forwarded is the client that a request of a Trusted peer names in its
	// headers, zero when it names none. With an error it is ignored, and counted.
	// nil: nobody is named so.
	Forwarded func(r *websocket.Request) (client netip.AddrPort, err error)
	// MaxHalfOpen is how many connections may wait for their upgrade; above, the
	// oldest is cut. 0: a quarter of MaxConnections, at least 1,000.
	MaxHalfOpen int
	// AcceptRate is how many connections are accepted in a second, AcceptBurst
	// how many at once; the rest waits in the kernel's backlog. 0: off, and as
	// many as in a second.
	AcceptRate, AcceptBurst int
	// MaxBuffered bounds the sum of all buffers in bytes; 0: off.
	MaxBuffered int64
	// Drain is the time over which connections are sent away when the Server
	// stops, DrainTimeout the time after which the rest is cut; 0: it is waited
	// for.
	Drain, DrainTimeout time.Duration
	// DrainCode is the close code of that: 1001 or, where clients know it as an
	// invitation to connect again, 1012. 0: 1001.
	DrainCode ws.StatusCode
	// LoopWarn is how long an event loop may be away, kept by a handler that
	// blocks, before that is logged with the route; 0: off.
	LoopWarn time.Duration
	// Jobs is how many jobs of Conn.Go run at once.
	Jobs int
	// AccessLog gets a line for each connection when it ends; nil: none.
	AccessLog *slog.Logger
	// Log gets what an operator must know; nil: slog.Default().
	Log *slog.Logger

	// refusals is how many connections above the cap are held for as long as it
	// takes to read a request and answer 503: all that descriptors are left for,
	// because a client that is told when to come again does, and one that is
	// closed tries at once. They are half-open like others: MaxHalfOpen bounds
	// who only waits there. Where the cap takes as many descriptors as it can,
	// half of the reserve is used.
	refusals int
}

// Default is the configuration for routes, with the limits of the README.
func Default(routes *websocket.Routes) Config {
	return Config{
		Listen:           []string{":9998"},
		Routes:           routes,
		Limits:           websocket.DefaultLimits(),
		MaxHead:          8 << 10,
		HandshakeTimeout: 10 * time.Second,
		HTTPIdle:         15 * time.Second,
		MaxBuffered:      256 << 20,
		Drain:            6 * time.Second,
		DrainTimeout:     8 * time.Second,
		LoopWarn:         100 * time.Millisecond,
		Jobs:             4 * runtime.GOMAXPROCS(0),
	}
}

// Validate reports all that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("poller: "+format, args...)) }
	c.validateListen(fail)
	if c.Routes == nil {
		fail("no routes")
	}
	if c.Loops < 0 || c.Loops > 1024 {
		fail("loops: %d is not from 0 to 1024", c.Loops)
	}
	if c.MaxHead < 256 || c.MaxHead > keptMax {
		fail("max head: %d is not from 256 to %d bytes", c.MaxHead, keptMax)
	}
	if c.Jobs < 1 {
		fail("jobs: %d is not at least 1", c.Jobs)
	}
	if c.MaxBuffered < 0 {
		fail("max buffered: %d is negative", c.MaxBuffered)
	}
	if most := descriptors() - reserve; c.MaxConnections < 0 || c.MaxConnections > most {
		fail("max connections: %d is not from 0 to %d, which the descriptor limit allows", c.MaxConnections, most)
	}
	c.validateNumbers(fail)
	c.validateWaits(fail)
	switch c.DrainCode {
	case 0, websocket.ErrGoingAway.Code, websocket.ErrRestart.Code:
	default:
		fail("drain code: %d is neither 1001 nor 1012", c.DrainCode)
	}
	return errors.Join(append(errs, checkTLS(c.TLS))...)
}

func (c *Config) validateListen(fail func(string, ...any)) {
	if len(c.Listen)+len(c.Inherited) == 0 {
		fail("nothing to listen on")
	}
	for _, text := range c.Listen {
		if a, err := address.Parse(text); err == nil && a.Proxy && (c.Preface == nil || c.Trusted == nil) {
			fail("listen address %q: proxy=required needs Preface and Trusted", text)
		}
	}
	if b := c.SocketBuffer; b != 0 && (b < 4<<10 || b > 1<<30) {
		fail("socket buffer: %d is neither 0 nor from 4 KiB to 1 GiB", b)
	}
}

func (c *Config) validateNumbers(fail func(format string, args ...any)) {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"max half-open", c.MaxHalfOpen}, {"max per address", c.MaxPerAddress},
		{"accept rate", c.AcceptRate}, {"accept burst", c.AcceptBurst},
	} {
		if n.value < 0 {
			fail("%s: %d is not at least 0", n.name, n.value)
		}
	}
}

func (c *Config) validateWaits(fail func(format string, args ...any)) {
	for _, wait := range []struct {
		name string
		d    time.Duration
	}{
		{"handshake timeout", c.HandshakeTimeout}, {"http idle", c.HTTPIdle}, {"drain", c.Drain}, {"drain timeout", c.DrainTimeout}, {"loop warn", c.LoopWarn},
		{"message timeout", c.Limits.MessageTimeout}, {"stall timeout", c.Limits.StallTimeout}, {"ping interval", c.Limits.PingInterval},
		{"idle timeout", c.Limits.IdleTimeout}, {"max lifetime", c.Limits.MaxLifetime}, {"close timeout", c.Limits.CloseTimeout},
	} {
		if wait.d > maxDeadline {
			fail("%s: %s is more than 240 days", wait.name, wait.d)
		}
	}
	if c.Drain < 0 || c.DrainTimeout < 0 {
		fail("drain: %s or its timeout, %s, is negative", c.Drain, c.DrainTimeout)
	}
	if c.DrainTimeout > 0 && c.DrainTimeout < c.Drain {
		fail("drain timeout: %s is less than drain, %s", c.DrainTimeout, c.Drain)
	}
}

// resolve puts numbers for what was left open.
func (c *Config) resolve() {
	if c.Loops == 0 {
		c.Loops = runtime.GOMAXPROCS(0)
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = max(descriptors()-2*reserve, 1)
	}
	if c.MaxHalfOpen == 0 {
		c.MaxHalfOpen = max(c.MaxConnections/4, leastHalfOpen)
	}
	c.refusals = max(descriptors()-reserve-c.MaxConnections, reserve/2)
	if c.AcceptBurst == 0 {
		c.AcceptBurst = c.AcceptRate
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

// descriptors is how many descriptors the process may have.
func descriptors() int {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return 1024
	}
	return int(min(lim.Cur, 1<<24))
}

// userTimeout is the longer of the stall and idle time of the defaults; 0 when
// one of them is off.
func (c *Config) userTimeout() time.Duration {
	if c.Limits.StallTimeout <= 0 || c.Limits.IdleTimeout <= 0 {
		return 0
	}
	return max(c.Limits.StallTimeout, c.Limits.IdleTimeout)
}
