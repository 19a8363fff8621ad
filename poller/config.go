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

// maxDeadline is the longest wait that can be configured: ticks of 10 ms in 32 bits
// are compared by their signed difference, which is right for 248 days.
const maxDeadline = 240 * 24 * time.Hour

// Config configures a Server. Start from Default.
type Config struct {
	// Listen is the list of addresses to listen on: "host:port", or ":port" for all
	// addresses of both families; port 0 is any free port. Each may be followed by
	// the options of package address.
	Listen []string
	// Inherited is a list of descriptors of listening sockets, from systemd or from
	// the process before this one. A socket whose address is in Listen is used for
	// it, one that suits an address with port 0 for that, so that the port is kept.
	// With an empty Listen all of them are used. Others are closed, which is logged.
	// The Server owns them when New has succeeded.
	Inherited []int
	// Made lists those of Inherited that are unix sockets which the process before
	// this one has created. The Server removes their files when it stops, as it does
	// with its own.
	Made []int
	// SocketBuffer is the size in bytes of the kernel's buffer for each direction of
	// a connection (SO_RCVBUF, SO_SNDBUF); 0 leaves it to the kernel's tuning.
	SocketBuffer int
	// Loops is the number of event loops; 0 is one for each CPU that Go may use. With
	// fewer loops than that (runtime.GOMAXPROCS) a loop under load keeps its
	// processor while it waits, which is cheaper.
	Loops int
	// Routes is the routing table. Limits are for routes that set none of their own.
	Routes *websocket.Routes
	Limits websocket.Limits
	// TLS makes every listener speak TLS, unless its address has tls=off; nil is
	// plain. It is used as it is, so its NextProtos should be "http/1.1". Reload may
	// replace it for handshakes that begin afterwards. Its callbacks do not run on
	// the loops; of the net.Conn that they are given only RemoteAddr works.
	TLS *tls.Config
	// MaxHead bounds a request's head in bytes, at most 64 KiB.
	MaxHead int
	// HandshakeTimeout is how long a client may take to send a whole request,
	// counted from accept or from the first byte of a later request. HTTPIdle is how
	// long it may stay silent between two plain requests. 0 switches them off.
	HandshakeTimeout, HTTPIdle time.Duration
	// MaxConnections is the cap on connections; 0 is the limit on descriptors
	// (RLIMIT_NOFILE) less 256.
	MaxConnections int
	// MaxPerAddress is the cap on connections from one IPv4 address, or from one
	// IPv6 network of 64 bits; 0 switches it off.
	MaxPerAddress int
	// Trusted reports whether a peer is a proxy that may name its client. It is given
	// the zero Addr for peers on unix sockets. nil trusts nobody.
	Trusted func(peer netip.Addr) bool
	// Preface parses the PROXY protocol header with which connections to an address
	// with proxy=required begin. n is its length, 0 when more must arrive first;
	// client is the address in it, zero when it has none. An error refuses the
	// connection with 400, and so does a peer that is not Trusted.
	Preface func(in []byte) (n int, client netip.AddrPort, err error)
	// Forwarded returns the client that a request of a Trusted peer names in its
	// headers, the zero AddrPort when it names none. After an error the headers are
	// ignored, and counted. nil ignores them always.
	Forwarded func(r *websocket.Request) (client netip.AddrPort, err error)
	// MaxHalfOpen is how many connections may be there that have not upgraded. Above
	// it the oldest of them is cut. 0 is a quarter of MaxConnections, and at least
	// 1,000.
	MaxHalfOpen int
	// AcceptRate is how many connections are accepted in a second, AcceptBurst how
	// many of them at once; the rest waits in the kernel's backlog. An AcceptRate of
	// 0 switches both off, an AcceptBurst of 0 is as many as AcceptRate.
	AcceptRate, AcceptBurst int
	// MaxBuffered bounds the sum of all buffers in bytes; 0 switches it off.
	MaxBuffered int64
	// Drain is the time over which connections are sent away when the Server stops.
	// DrainTimeout is the time after which those that are left are cut; 0 waits for
	// them.
	Drain, DrainTimeout time.Duration
	// DrainCode is the close code that they are sent: 1001 or, where clients take it
	// as an invitation to connect again, 1012. 0 is 1001.
	DrainCode ws.StatusCode
	// LoopWarn is how long a handler may keep its event loop before that is logged,
	// with the route and the stack; 0 switches the warning off.
	LoopWarn time.Duration
	// Jobs is how many jobs of Conn.Go run at once.
	Jobs int
	// AccessLog gets a line for each connection when it ends; nil for none.
	AccessLog *slog.Logger
	// Log gets what an operator must know; nil is slog.Default().
	Log *slog.Logger

	// refusals is how many connections above MaxConnections are accepted only to
	// have their request answered 503: a client that is told when to come again
	// waits, one that is just closed tries again at once. All descriptors that are
	// left are used for it, at least half of the reserve. Those connections count as
	// half-open, so MaxHalfOpen bounds how many stay without a request.
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

// resolve replaces zeros that stand for a default by it.
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
