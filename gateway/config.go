package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"echogate/poller/websocket"
)

// Config is the schema of the command line, the environment and the file. The
// default tags are the defaults; check is the only place where values are
// judged. 0 switches a limit, a timeout or the pings off.
type Config struct {
	File      string     `name:"config" placeholder:"FILE" group:"Configuration" help:"YAML file whose keys are the names of these flags."`
	LogLevel  slog.Level `placeholder:"LEVEL" default:"info" group:"Configuration" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat Format     `placeholder:"FORMAT" default:"auto" group:"Configuration" help:"text, json, or auto: text on a terminal, JSON elsewhere."`

	Listen         []string `placeholder:"ADDR" default:":9998" group:"Listening" help:"Address to listen on, repeatable: host:port, :port (IPv4 and IPv6), [::1]:port, unix:/path or unix:@name; behind it ?option=value&option=value."`
	Port           int      `short:"p" placeholder:"N" group:"Listening" help:"The same as --listen :N; not together with --listen."`
	Loops          int      `placeholder:"N" default:"0" group:"Listening" help:"Event loops; 0: one for each core."`
	MaxConnections int      `placeholder:"N" default:"0" group:"Listening" help:"Connections at a time; above, 503. 0: as many as the descriptors allow, less 256."`
	MaxPerAddress  int      `placeholder:"N" default:"0" group:"Listening" help:"Connections at a time from one IPv4 address or IPv6 /64; above, 429."`
	MaxHalfOpen    int      `placeholder:"N" default:"0" group:"Listening" help:"Connections that have not upgraded; above, the oldest of them is cut. 0: a quarter of the connections, at least 1000."`
	SocketBuffer   Size     `placeholder:"SIZE" default:"0" group:"Listening" help:"SO_RCVBUF and SO_SNDBUF of connections, 4KiB to 1GiB; the kernel takes twice as much. 0: its own tuning."`
	AcceptRate     int      `placeholder:"N" default:"0" group:"Listening" help:"Connections accepted in a second; the rest waits in the kernel's backlog."`
	AcceptBurst    int      `placeholder:"N" default:"0" group:"Listening" help:"Connections accepted at once in spite of that; 0: as many as in a second."`

	TLSCert       []string      `name:"tls-cert" placeholder:"FILE" group:"TLS" help:"Certificate chain in PEM, repeatable: a client gets the first that has the name it asks for. With one every address speaks TLS."`
	TLSKey        []string      `name:"tls-key" placeholder:"FILE" group:"TLS" help:"Private key of a certificate in PEM, one for each --tls-cert, in the same order."`
	TLSClientCA   []string      `name:"tls-client-ca" placeholder:"FILE" group:"TLS" help:"Certificates in PEM of those who sign what clients show, repeatable."`
	TLSClientAuth ClientAuth    `name:"tls-client-auth" placeholder:"WHO" default:"off" group:"TLS" help:"off: no client is asked for a certificate; optional: what it shows must be good; require: it must show a good one."`
	TLSSelfSigned bool          `name:"tls-self-signed" default:"false" group:"TLS" help:"Speak TLS with a certificate made at the start, whose fingerprint is logged: for development, not for production."`
	TLSWatch      time.Duration `name:"tls-watch" placeholder:"DURATION" default:"10s" group:"TLS" help:"How often the files are read for a new certificate; SIGHUP reads them at once."`

	TrustedProxies []string     `placeholder:"NETWORK" group:"Proxies" help:"Network, address or unix (peers on unix sockets) that may name its client, by --client-header or where --listen says proxy=required; repeatable. None given: nobody."`
	ClientHeader   ClientHeader `placeholder:"HEADER" default:"x-forwarded-for" group:"Proxies" help:"Header in which trusted proxies name the client: x-forwarded-for, forwarded, x-real-ip, or off."`

	Origin           []string      `placeholder:"ORIGIN" group:"Handshake" help:"Origin that may connect from a browser, repeatable: https://example.com. None given: any."`
	HandshakeTimeout time.Duration `placeholder:"DURATION" default:"10s" group:"Handshake" help:"From accepting a connection to the end of its request."`
	HTTPIdle         time.Duration `name:"http-idle" placeholder:"DURATION" default:"15s" group:"Handshake" help:"Silence between two plain HTTP requests on one connection."`
	MaxHead          Size          `placeholder:"SIZE" default:"8KiB" group:"Handshake" help:"Request line and headers together, 512 to 64KiB; above, 431."`

	Alias     []string `placeholder:"ALIAS" group:"Routes" help:"Another path of a route, repeatable: /path=/target, or /path=/target?query to give it parameters. It may take a route's place; /{any...} stands for all that no route has."`
	Faults    Switch   `placeholder:"on|off" default:"on" group:"Routes" help:"Whether a client may have a path misbehave by parameters as ?drop=0.1; off: 403 for any of them."`
	AliasFile string   `placeholder:"FILE" group:"Routes" help:"File of aliases in the format of pywebsocket: a path and its target in each line, # for comments."`

	MaxMessage     Size          `placeholder:"SIZE" default:"1MiB" group:"Messages" help:"One message, all its fragments together; above, close code 1009."`
	MaxFragments   int           `placeholder:"N" default:"65536" group:"Messages" help:"Fragments of one message; above, 1008."`
	MaxControlRate int           `placeholder:"N" default:"2000" group:"Messages" help:"Control frames of one connection in 10 s; above, 1008."`
	MessageTimeout time.Duration `placeholder:"DURATION" default:"60s" group:"Messages" help:"From a message's first byte to its last; later, 1008."`

	Compression          Switch `placeholder:"on|off" default:"off" group:"Compression" help:"Whether paths accept permessage-deflate from clients that offer it; off: /deflate alone does."`
	CompressionLevel     int    `placeholder:"N" default:"1" group:"Compression" help:"1, the fastest, to 9, the smallest output."`
	CompressionThreshold Size   `placeholder:"SIZE" default:"256" group:"Compression" help:"Message below which nothing is compressed."`

	HighWater    Size          `placeholder:"SIZE" default:"64KiB" group:"Sending" help:"Unsent output above which a connection is not read."`
	LowWater     Size          `placeholder:"SIZE" default:"16KiB" group:"Sending" help:"Unsent output below which reading goes on."`
	StallTimeout time.Duration `placeholder:"DURATION" default:"30s" group:"Sending" help:"Without progress while output waits; then the connection is cut."`
	MaxBuffered  Size          `placeholder:"SIZE" default:"256MiB" group:"Sending" help:"Unfinished messages and unsent output of all connections together; above, 1013 for one of them. Not given: a quarter of the container's memory limit, where there is one."`

	PingInterval time.Duration `placeholder:"DURATION" default:"50s" group:"Liveness" help:"Silence before a ping, and between pings."`
	IdleTimeout  time.Duration `placeholder:"DURATION" default:"120s" group:"Liveness" help:"Time without a byte from the peer, pongs included; then the connection is ended with 1008."`
	MaxLifetime  time.Duration `placeholder:"DURATION" default:"0" group:"Liveness" help:"Age at which a connection is ended with 1001."`

	CloseTimeout time.Duration `placeholder:"DURATION" default:"5s" group:"Stopping" help:"From our close frame to the peer's; then the connection is cut."`
	Drain        time.Duration `placeholder:"DURATION" default:"6s" group:"Stopping" help:"Time over which the connections get their 1001 when the gateway stops."`
	DrainCode    int           `placeholder:"CODE" default:"1001" group:"Stopping" help:"Close code of that: 1001 going away, or 1012 service restart."`
	DrainTimeout time.Duration `placeholder:"DURATION" default:"8s" group:"Stopping" help:"From SIGTERM to the end; who is left is cut. docker stop kills after 10 s."`

	AccessLog bool          `default:"false" group:"Logging" help:"One line at each connection's end: route, address, close codes, duration, messages, bytes."`
	LoopWarn  time.Duration `placeholder:"DURATION" default:"100ms" group:"Logging" help:"How long a handler may block its event loop before that is logged with the route."`

	Admin            string `placeholder:"ADDR" default:"127.0.0.1:9999" group:"Admin port" help:"Address of health, metrics, profiles and the live page: host:port, or unix:/path, unix:/path?mode=0660, whose mode is who may ask; off: none."`
	AdminOpen        bool   `default:"false" group:"Admin port" help:"Answer everything there to other hosts too, not /healthz, /readyz and /metrics alone."`
	ReadyConnections int    `placeholder:"N" default:"0" group:"Admin port" help:"Connections above which /readyz says no; 0: none."`

	tls     *material         // what the files held; nil: no TLS is spoken
	memory  int64             // what the control group may have; 0: no limit
	cores   int               // processors that the runtime found
	origins map[string]origin // where the values that are no defaults came from, by flag
}

const (
	// maxDeadline keeps every deadline inside the 248 days in which two ticks
	// of a loop's wheel, 10 ms each in 32 bits, can be told apart.
	maxDeadline = 240 * 24 * time.Hour
	// maxLoops is more than any machine has cores; each loop has a buffer and a
	// poller of its own.
	maxLoops = 1024
	// maxControlRate is what the 16 bits that count control frames can hold.
	maxControlRate = 1<<16 - 1
	// minSocketBuffer is about the least that the kernel gives, maxSocketBuffer
	// more than any path holds.
	minSocketBuffer, maxSocketBuffer = 4 << 10, 1 << 30
	// minHead holds the smallest upgrade that a browser sends; maxHead is what
	// the loop keeps of an unfinished request.
	minHead, maxHead = 512, 64 << 10
)

// settle makes one list of addresses of --port and --listen. Whichever comes
// from the more important source holds; both from the same one is an error.
func (c *Config) settle() error {
	port, listen := c.origins["port"], c.origins["listen"]
	if port.from < listen.from || port.from == fromDefault {
		return nil
	}
	if port.from == listen.from {
		return fmt.Errorf("%s and %s: accepted is one of them", c.named("port"), c.named("listen"))
	}
	if c.Port < 0 || c.Port > 65535 {
		return c.wrong("port", "%d is not a port: accepted are 0 to 65535", c.Port)
	}
	c.Listen = []string{":" + strconv.Itoa(c.Port)}
	return nil
}

// listenFlag is the flag that Listen was given by.
func (c *Config) listenFlag() string {
	if c.origins["port"].from > c.origins["listen"].from {
		return "port"
	}
	return "listen"
}

// check reports the first value that the gateway cannot run with, under the
// name by which it was given.
func (c *Config) check() error {
	for _, check := range []func() error{
		c.settle, c.checkAddresses, c.checkProxies, c.checkAdmin, c.checkOrigins, c.checkNumbers, c.checkDeadlines, c.checkOrder,
		c.checkTLS,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkOrigins insists on what a browser sends (RFC 6454 §6.2): a slash at the
// end or a path would never match anything.
func (c *Config) checkOrigins() error {
	for _, text := range c.Origin {
		if text == "null" {
			continue // of a page without an origin: a file, a sandboxed frame
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" || u.Host == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, text) {
			return c.wrong("origin", "%q is not an origin: accepted are scheme://host, scheme://host:port and null", text)
		}
	}
	return nil
}

func (c *Config) checkNumbers() error {
	for _, n := range []struct {
		flag       string
		value, max int
	}{
		{"loops", c.Loops, maxLoops},
		{"max-connections", c.MaxConnections, 1<<31 - 1},
		{"max-per-address", c.MaxPerAddress, 1<<31 - 1},
		{"accept-rate", c.AcceptRate, 1<<31 - 1},
		{"accept-burst", c.AcceptBurst, 1<<31 - 1},
		{"max-half-open", c.MaxHalfOpen, 1<<31 - 1},
		{"ready-connections", c.ReadyConnections, 1<<31 - 1},
		{"max-fragments", c.MaxFragments, 1<<31 - 1},
		{"max-control-rate", c.MaxControlRate, maxControlRate},
	} {
		if n.value < 0 || n.value > n.max {
			return c.wrong(n.flag, "%d is out of range: accepted are 0 to %d", n.value, n.max)
		}
	}
	if c.CompressionLevel < 1 || c.CompressionLevel > 9 {
		return c.wrong("compression-level", "%d is out of range: accepted are 1 to 9", c.CompressionLevel)
	}
	if c.DrainCode != 1001 && c.DrainCode != 1012 {
		return c.wrong("drain-code", "%d is no code to leave with: accepted are 1001 and 1012", c.DrainCode)
	}
	if b := c.SocketBuffer; b != 0 && (b < minSocketBuffer || b > maxSocketBuffer) {
		return c.wrong("socket-buffer", "%v is out of range: accepted are %v to %v, and 0", b, Size(minSocketBuffer), Size(maxSocketBuffer))
	}
	if c.MaxHead < minHead || c.MaxHead > maxHead {
		return c.wrong("max-head", "%v is out of range: accepted are %v to %v", c.MaxHead, Size(minHead), Size(maxHead))
	}
	return nil
}

func (c *Config) checkDeadlines() error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"handshake-timeout", c.HandshakeTimeout},
		{"http-idle", c.HTTPIdle},
		{"message-timeout", c.MessageTimeout},
		{"stall-timeout", c.StallTimeout},
		{"ping-interval", c.PingInterval},
		{"idle-timeout", c.IdleTimeout},
		{"max-lifetime", c.MaxLifetime},
		{"close-timeout", c.CloseTimeout},
		{"drain", c.Drain},
		{"drain-timeout", c.DrainTimeout},
		{"loop-warn", c.LoopWarn},
		{"tls-watch", c.TLSWatch},
	} {
		if d.value < 0 || d.value > maxDeadline {
			return c.wrong(d.flag, "%v is out of range: accepted are 0s to 5760h, which is 240 days", d.value)
		}
	}
	return nil
}

// checkOrder compares the values that only make sense together.
func (c *Config) checkOrder() error {
	// Reading that stops at one mark must be able to go on at the other; with
	// equal marks every byte would stop it or start it.
	if c.HighWater > 0 && (c.LowWater == 0 || c.LowWater >= c.HighWater) {
		return c.wrong("low-water", "%v does not go with %s %v: accepted are 1 byte to less than that", c.LowWater, c.named("high-water"), c.HighWater)
	}
	// A peer must be asked before it is given up.
	if c.PingInterval > 0 && c.IdleTimeout > 0 && c.IdleTimeout <= c.PingInterval {
		return c.wrong("idle-timeout", "%v does not go with %s %v: accepted is more than that, or 0", c.IdleTimeout, c.named("ping-interval"), c.PingInterval)
	}
	if c.DrainTimeout > 0 && c.Drain > c.DrainTimeout {
		return c.wrong("drain", "%v does not go with %s %v: accepted is at most that", c.Drain, c.named("drain-timeout"), c.DrainTimeout)
	}
	return nil
}

// wrong is the error of a value, under the name by which it was given.
func (c *Config) wrong(flag, format string, args ...any) error {
	return fmt.Errorf("%s: %w", c.named(flag), fmt.Errorf(format, args...))
}

// named is how messages name a flag's value: the flag, the environment
// variable, or the file, line and key.
func (c *Config) named(flag string) string {
	if o, ok := c.origins[flag]; ok {
		return o.name
	}
	return "--" + flag
}

// limits are the bounds of a route that has none of its own.
func (c *Config) limits() websocket.Limits {
	return websocket.Limits{
		MaxMessage:     orOff(int(c.MaxMessage)),
		MaxFragments:   orOff(c.MaxFragments),
		MaxControlRate: orOff(c.MaxControlRate),
		HighWater:      orOff(int(c.HighWater)),
		LowWater:       orOff(int(c.LowWater)),
		MessageTimeout: orOff(c.MessageTimeout),
		StallTimeout:   orOff(c.StallTimeout),
		PingInterval:   orOff(c.PingInterval),
		IdleTimeout:    orOff(c.IdleTimeout),
		MaxLifetime:    orOff(c.MaxLifetime),
		CloseTimeout:   orOff(c.CloseTimeout),
	}
}

// deflate is what routes do about permessage-deflate that do not say themselves.
func (c *Config) deflate() websocket.Deflate {
	return websocket.Deflate{On: c.Compression == SwitchOn, Level: c.CompressionLevel, Threshold: int(c.CompressionThreshold)}
}

// orOff turns a flag's 0, which means off, into the −1 that means it in a
// websocket.Limits, where 0 takes the default.
func orOff[T int | time.Duration](v T) T {
	if v == 0 {
		return -1
	}
	return v
}
