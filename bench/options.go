package main

import (
	"math"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// commandLine is what kong parses: a sub-command for each mode, whose flags are
// those that mean something in it.
type commandLine struct {
	Echo    echoCommand    `cmd:"" help:"Closed loop: send a batch on each connection, wait for its echoes, send the next."`
	Rate    rateCommand    `cmd:"" help:"Open loop: send at a fixed rate, whatever the server does; latency counts from when a message was due."`
	Idle    idleCommand    `cmd:"" help:"Hold connections open, answer pings, echo a probe on a sample of them."`
	Storm   stormCommand   `cmd:"" help:"Connect, upgrade, echo once, close, as often as the server allows; or cut all and let them come back."`
	Slow    slowCommand    `cmd:"" help:"Read slowly on many connections while others measure the latency."`
	Mixed   mixedCommand   `cmd:"" help:"An idle population, an active group and connections that come and go."`
	Compare compareCommand `cmd:"" help:"Run the same load against several servers in turn, round by round."`
	Abuse   abuseCommand   `cmd:"" help:"Play hostile clients against the gateway, a row of its limits after the other."`
	Soak    soakCommand    `cmd:"" help:"Let all kinds of clients loose on the gateway for a long time: what it holds must not grow."`
	Worker  struct{}       `cmd:"" hidden:""`

	Version kong.VersionFlag `help:"Print the version."`
}

// commandWorker is the sub-command of a worker process.
const commandWorker = "worker"

// loadFlags are those of every mode that drives a server.
type loadFlags struct {
	URL []string `arg:"" optional:"" name:"url" default:"${url}" help:"Where to connect to: ws:// or wss://host:port/path, or ws+unix:/file:/path. Connections are spread over several."`

	Connections int           `short:"c" default:"100" placeholder:"N" help:"Connections."`
	Size        Size          `default:"64B" placeholder:"SIZE" help:"Payload of a message."`
	Payload     string        `placeholder:"FILE" help:"Send what is in the file, instead of random bytes of --size."`
	Text        bool          `help:"Send text messages instead of binary ones."`
	Duration    time.Duration `short:"d" default:"10s" placeholder:"TIME" help:"How long to measure."`
	Ramp        Number        `placeholder:"N" help:"Open at most so many connections a second."`
	InFlight    int           `default:"${inflight}" placeholder:"N" help:"Connects and upgrades under way at a time."`
	Timeout     time.Duration `default:"10s" placeholder:"TIME" help:"How long a connect, an upgrade or an echo may take."`
	Source      Sources       `placeholder:"ADDRESSES" help:"Source addresses of the connections, as 127.0.0.2-127.0.0.60: each has ports of its own. Without it loopback addresses are taken as needed, if that is where the server is."`
	Header      []HeaderLine  `short:"H" sep:"none" placeholder:"LINE" help:"A header of the upgrade request, as 'Authorization: Bearer x'; again for more. Host takes the place of the URL's."`
	Subprotocol []string      `placeholder:"NAME" help:"Subprotocols to offer. The server may choose one of them, or none."`
	Insecure    bool          `help:"TLS: take any certificate."`
	CA          string        `name:"ca" placeholder:"FILE" help:"TLS: certificates in PEM of those who sign the server's, instead of those whom the system trusts."`
	Cert        string        `placeholder:"FILE" help:"TLS: the client's certificate in PEM, for a server that asks for one."`
	Key         string        `placeholder:"FILE" help:"TLS: its private key in PEM."`
	Resume      bool          `help:"TLS: resume sessions where the server lets it; without it every handshake is a full one."`
	Procs       int           `placeholder:"N" help:"Worker processes to spread the connections over. Without it the load comes from this one."`
}

// defaultURL is the gateway, as it listens without any flag.
const defaultURL = "ws://127.0.0.1:9998/echo"

// defaultInFlight keeps the queue of a listening socket, which often holds 128
// to 4,096, from overflowing: what finds it full waits for a second.
const defaultInFlight = 256

// watchFlags are the server's process and what the report is to be.
type watchFlags struct {
	Pid     []int         `placeholder:"PID" help:"Report the figures of these processes as the server's."`
	Exec    string        `placeholder:"COMMAND" help:"Start the server, wait for its port, report its figures, stop it. {port} is replaced by a free port, in the URL too, and {admin} by another, in --metrics too."`
	Metrics string        `placeholder:"URL" help:"Prometheus metrics of the server, where its Go heap is looked up."`
	JSON    string        `name:"json" placeholder:"FILE" help:"Write the result as JSON; - is standard output, without the table."`
	HTML    string        `name:"html" placeholder:"FILE" help:"Write the result as a page with plots."`
	Fail    Thresholds    `placeholder:"CONDITIONS" help:"Exit with 1 unless these hold, as p99<20ms,errors==0,rate>50k."`
	Every   time.Duration `default:"1s" placeholder:"TIME" help:"Interval of the live view and of the series over time."`
}

// runFlags are those of every mode but compare.
type runFlags struct {
	loadFlags
	watchFlags

	given map[string]bool // the flags on the command line, by name: the others have their defaults
}

// packingFlags are those of the modes whose messages may be compressed.
type packingFlags struct {
	Compression bool `help:"Compress with permessage-deflate, without context takeover: one message, of JSON unless --payload says which, again and again. The gateway has it on /deflate."`
}

type echoCommand struct {
	runFlags
	Pipeline int `default:"1" placeholder:"N" help:"Messages under way on one connection."`
	Messages int `short:"n" placeholder:"N" help:"Stop after so many messages, however long that takes, or when -d is over, if it is given."`
	packingFlags
}

type rateCommand struct {
	runFlags
	Rate Number `required:"" placeholder:"N" help:"Messages a second, over all connections."`
	packingFlags
}

type idleCommand struct {
	runFlags
	Probes *Number `placeholder:"N" help:"Probes a second, over all connections. Without it one for every hundred of them."`
	packingFlags
}

type stormCommand struct {
	runFlags
	Reconnect bool `help:"Open all connections, cut them all at once, and measure until each is back; again and again."`
}

type slowCommand struct {
	runFlags
	ReadRate Size `default:"1KiB" placeholder:"SIZE" help:"What each of the slow clients reads in a second."`
	Control  int  `default:"10" placeholder:"N" help:"Connections of the control group."`
}

type mixedCommand struct {
	runFlags
	Pipeline int     `default:"1" placeholder:"N" help:"Messages under way on one active connection."`
	Active   int     `default:"100" placeholder:"N" help:"Connections of the active group."`
	Churn    Number  `default:"100" placeholder:"N" help:"Connections a second that come, echo once and go."`
	Probes   *Number `placeholder:"N" help:"Probes a second, over the idle connections. Without it one for every hundred of them."`
}

// mode is a sub-command that drives one server.
type mode interface {
	flags() *runFlags
	load() load
	check() error // what does not go together, by the flag's name
}

// load is what the flags of all modes say.
func (f *loadFlags) load(mode string) load {
	return load{
		Mode: mode, Sources: f.Source, Text: f.Text, Size: int(f.Size), Duration: f.Duration, Timeout: f.Timeout,
		Connections: f.Connections, InFlight: f.InFlight, Ramp: float64(f.Ramp), Pipeline: 1, Messages: -1,
		Insecure: f.Insecure, Resume: f.Resume, Request: f.request(),
	}
}

// request is what the flags add to upgrade requests.
func (f *loadFlags) request() (r request) {
	for _, h := range f.Header {
		if strings.EqualFold(h.name, "Host") {
			r.Host = h.value
			continue
		}
		r.Lines += h.name + ": " + h.value + "\r\n"
	}
	r.Protocols = strings.Join(f.Subprotocol, protocolSeparator)
	return r
}

func (f *runFlags) flags() *runFlags { return f }

func (c *echoCommand) load() load {
	d := c.loadFlags.load(modeEcho)
	d.Pipeline, d.Compression = c.Pipeline, c.Compression
	if c.Messages > 0 {
		d.Messages = int64(c.Messages)
		if !c.given["duration"] {
			d.Duration = unbounded
		}
	}
	return d
}

// unbounded is the duration of a run that ends by itself.
const unbounded = time.Duration(math.MaxInt64)

func (c *rateCommand) load() load {
	d := c.loadFlags.load(modeRate)
	d.Rate, d.Compression = float64(c.Rate), c.Compression
	return d
}

func (c *idleCommand) load() load {
	d := c.loadFlags.load(modeIdle)
	d.Probes, d.Compression = probes(c.Probes, c.Connections), c.Compression
	return d
}

func (c *stormCommand) load() load {
	d := c.loadFlags.load(modeStorm)
	d.Reconnect = c.Reconnect
	return d
}

func (c *slowCommand) load() load {
	d := c.loadFlags.load(modeSlow)
	d.ReadRate, d.Active = float64(c.ReadRate), c.Control
	return d
}

func (c *mixedCommand) load() load {
	d := c.loadFlags.load(modeMixed)
	d.Pipeline, d.Active, d.Churn = c.Pipeline, c.Active, float64(c.Churn)
	d.Probes = probes(c.Probes, c.Connections)
	return d
}

// probes is so many a second, or one for every hundred connections.
func probes(n *Number, connections int) float64 {
	if n != nil {
		return float64(*n)
	}
	return float64(connections) / 100
}
