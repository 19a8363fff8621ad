package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/gateway/admin"
	"echogate/gateway/fault"
	"echogate/poller"
)

// serve runs the gateway until a signal stops it, and returns the exit code.
// again reads the configuration anew.
func serve(c *Config, again func() (*Config, error), env func(string) (string, bool), errOut io.Writer) int {
	// Registered first, so that a signal during the start is not lost.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)
	// Remembered before anybody replaces the file.
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintf(errOut, "echogate: %v\n", err)
		return exitFailed
	}

	level := new(slog.LevelVar)
	level.Set(c.LogLevel)
	log := newLogger(errOut, c.LogFormat, level)
	tuneCollector(env)
	c.spareProcessor()
	c.memory = memoryLimit(log)
	g, err := newGateway(c, env, log)
	if err != nil {
		fmt.Fprintf(errOut, "echogate: %v\n", err)
		return exitUsage
	}
	if c.tls != nil {
		tuneForHandshakes(env)
	}
	g.again, g.env, g.level, g.program = again, env, level, program
	g.boundHeap()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g.stop = stop
	go func() { g.ended <- g.Run(ctx) }()
	g.admin.Serve(g.second...)
	defer g.admin.Close()
	logStart(g, log)
	if err := tellReady(env); err != nil {
		log.Warn("readiness not told", "err", err)
	}
	watch := time.NewTicker(c.watchEvery())
	defer watch.Stop()
	return g.wait(signals, watch)
}

// gateway is the running program.
type gateway struct {
	*poller.Server
	admin   *admin.Server
	second  []net.Listener          // of the admin port
	config  *Config                 // in force
	again   func() (*Config, error) // reads it anew
	env     func(string) (string, bool)
	level   *slog.LevelVar
	log     *slog.Logger
	given   *fault.Counts // faults, of all configurations
	program string        // its file at the start
	stop    func()        // drains
	ended   chan error    // what Run returned
	taken   chan successor

	starting context.CancelFunc // of a take-over under way
	stopping int                // signals to stop that have come, a take-over among them
	failed   bool
	reloads  reloads
	badTLS   string // why the files of TLS were refused at the last look
}

// newGateway makes the gateway that the configuration asks for, with all its
// sockets. Its errors name what cannot be had.
func newGateway(c *Config, env func(string) (string, bool), log *slog.Logger) (*gateway, error) {
	handed, err := inherited(env, os.Getpid())
	if err != nil {
		return nil, err
	}
	second, err := c.adminListeners(handed, log)
	if err != nil {
		return nil, err
	}
	given := new(fault.Counts)
	s, err := newServer(c, handed, log, given)
	if err != nil {
		for _, ln := range second {
			ln.Close() // and with it the file that it may have
		}
		return nil, err
	}
	g := &gateway{
		Server: s, second: second, config: c, log: log, given: given,
		ended: make(chan error, 1), taken: make(chan successor, 1),
	}
	g.admin = admin.New(admin.Config{
		Gateway: s, Version: release(), Log: log, Options: c.adminOptions(),
		Counters: g.counters(),
	})
	return g, nil
}

// counters are those that the admin port shows beside the server's own.
func (g *gateway) counters() []admin.Counter {
	return []admin.Counter{
		g.reloads.counter(), faultCounter(g.given), zooCounter(),
	}
}

// wait does what signals ask for until the server has ended.
func (g *gateway) wait(signals <-chan os.Signal, watch *time.Ticker) (code int) {
	for {
		select {
		case sig := <-signals:
			g.signal(sig)
			watch.Reset(g.config.watchEvery()) // it may be another
		case <-watch.C:
			g.renewTLS()
		case s := <-g.taken:
			g.succeeded(s)
		case err := <-g.admin.Failed():
			g.log.Error("admin port failed", "err", err)
			g.failed = true
			g.stop()
		case err := <-g.ended:
			g.abandon()
			if err != nil {
				g.log.Error("failed", "err", err)
				return exitFailed
			}
			g.log.Info("stopped", "connections_served", g.Stats().Accepted)
			if g.stopping > 1 || g.failed {
				return exitFailed
			}
			return exitOK
		}
	}
}

// signal does what a signal asks for. The first one to stop drains, the second
// cuts.
func (g *gateway) signal(sig os.Signal) {
	switch sig {
	case syscall.SIGHUP:
		g.reload()
		return
	case syscall.SIGUSR2:
		g.takeOver(os.Getpid())
		return
	}
	g.abandon() // who stops the gateway does not want another
	if g.stopping++; g.stopping == 1 {
		g.log.Info("draining", "signal", sig.String())
		g.admin.Leave()
		g.stop()
		return
	}
	g.log.Warn("cutting all connections", "signal", sig.String())
	g.Cut()
}

// newServer makes the server that the configuration asks for. Its errors name
// what cannot be had.
func newServer(c *Config, from handed, log *slog.Logger, given *fault.Counts) (*poller.Server, error) {
	raiseDescriptors(log)
	p, err := serverConfig(c, log, given)
	if err != nil {
		return nil, err
	}
	if err := c.loadTLS(nil, log); err != nil {
		return nil, err
	}
	p.TLS = c.tls.configuration()
	p.Inherited, p.Made = from.public, from.made
	if _, given := c.origins["listen"]; !given && c.Port == 0 && len(p.Inherited) > 0 {
		p.Listen = nil // what was handed on is served
	}
	return poller.New(p)
}

// serverConfig is the configuration in the poller's terms.
func serverConfig(c *Config, log *slog.Logger, given *fault.Counts) (poller.Config, error) {
	routes, _, err := table(c, given)
	if err != nil {
		return poller.Config{}, err
	}
	if routes, err = routes.Deflate(c.deflate()); err != nil {
		return poller.Config{}, err
	}
	p := poller.Default(routes)
	p.Listen, p.Loops = c.Listen, c.loops()
	p.MaxConnections, p.MaxPerAddress, p.MaxHalfOpen = c.MaxConnections, c.MaxPerAddress, c.MaxHalfOpen
	p.SocketBuffer = int(c.SocketBuffer)
	if err := c.trust(&p); err != nil {
		return poller.Config{}, err
	}
	p.AcceptRate, p.AcceptBurst = c.AcceptRate, c.AcceptBurst
	p.Limits, p.MaxHead, p.MaxBuffered = c.limits(), int(c.MaxHead), c.maxBuffered(c.memory)
	p.HandshakeTimeout, p.HTTPIdle = c.HandshakeTimeout, c.HTTPIdle
	p.Drain, p.DrainTimeout, p.DrainCode = c.Drain, c.DrainTimeout, ws.StatusCode(c.DrainCode)
	p.LoopWarn, p.Log = c.LoopWarn, log
	if c.AccessLog {
		p.AccessLog = log
	}
	return p, nil
}

// loops is how many event loops there are.
func (c *Config) loops() int { return cmp.Or(c.Loops, c.cores) }

// spareProcessor gives the runtime a processor more than there are loops, for all
// that is no loop: so a loop need not give up its own for as long as it waits. The
// runtime does not follow a limit on CPU that changes later, as loops do not.
func (c *Config) spareProcessor() {
	c.cores = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(c.cores, c.loops()+1))
}

// raiseDescriptors lifts the limit on descriptors as far as it goes.
func raiseDescriptors(log *slog.Logger) {
	var lim unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
	if err == nil && lim.Cur < lim.Max {
		lim.Cur = lim.Max
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)
	}
	if err != nil {
		log.Warn("descriptor limit not raised", "err", err)
	}
}

// logStart says in one line what is in force.
func logStart(g *gateway, log *slog.Logger) {
	c, s := g.config, g.Server
	var lim unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
	addrs := make([]string, 0, 1)
	for _, a := range s.Addrs() {
		addrs = append(addrs, a.String())
	}
	log.Info("listening", "addrs", addrs, "admin", g.admin.Addrs(), "loops", s.Loops(),
		"max_connections", s.MaxConnections(), "descriptors", lim.Cur,
		"max_message", c.MaxMessage.String(), "max_buffered", Size(s.Config().MaxBuffered).String(),
		"memory_limit", limitText(c.memory), "heap_limit", limitText(debug.SetMemoryLimit(-1)),
		"ping_interval", c.PingInterval.String(), "idle_timeout", c.IdleTimeout.String(), "tls", c.tls != nil, "version", version())
}
