package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

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
	s, err := newServer(c, env, log)
	if err != nil {
		fmt.Fprintf(errOut, "echogate: %v\n", err)
		return exitUsage
	}
	logStart(c, s, log)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g := &gateway{
		Server: s, config: c, again: again, level: level, log: log, program: program,
		stop: stop, ended: make(chan error, 1), taken: make(chan successor, 1),
	}
	go func() { g.ended <- s.Run(ctx) }()
	if err := tellReady(env); err != nil {
		log.Warn("readiness not told", "err", err)
	}
	return g.wait(signals)
}

// gateway is the running program.
type gateway struct {
	*poller.Server
	config  *Config                 // in force
	again   func() (*Config, error) // reads it anew
	level   *slog.LevelVar
	log     *slog.Logger
	program string     // its file at the start
	stop    func()     // drains
	ended   chan error // what Run returned
	taken   chan successor

	starting context.CancelFunc // of a take-over under way
	stopping int                // signals to stop that have come, a take-over among them
	reloads  reloads
}

// wait does what signals ask for until the server has ended.
func (g *gateway) wait(signals <-chan os.Signal) (code int) {
	for {
		select {
		case sig := <-signals:
			g.signal(sig)
		case s := <-g.taken:
			g.succeeded(s)
		case err := <-g.ended:
			g.abandon()
			if err != nil {
				g.log.Error("failed", "err", err)
				return exitFailed
			}
			g.log.Info("stopped", "connections_served", g.Stats().Accepted)
			if g.stopping > 1 {
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
		g.stop()
		return
	}
	g.log.Warn("cutting all connections", "signal", sig.String())
	g.Cut()
}

// newServer makes the server that the configuration asks for. Its errors name
// what cannot be had.
func newServer(c *Config, env func(string) (string, bool), log *slog.Logger) (*poller.Server, error) {
	raiseDescriptors(log)
	p, err := serverConfig(c, log)
	if err != nil {
		return nil, err
	}
	if p.Inherited, err = inherited(env, os.Getpid()); err != nil {
		return nil, err
	}
	if _, given := c.origins["listen"]; !given && c.Port == 0 && len(p.Inherited) > 0 {
		p.Listen = nil // what was handed on is served
	}
	return poller.New(p)
}

// serverConfig is the configuration in the poller's terms.
func serverConfig(c *Config, log *slog.Logger) (poller.Config, error) {
	routes, err := table(c.Origin)
	if err != nil {
		return poller.Config{}, err
	}
	p := poller.Default(routes)
	p.Listen, p.Loops = c.Listen, c.Loops
	p.MaxConnections, p.MaxPerAddress, p.MaxHalfOpen = c.MaxConnections, c.MaxPerAddress, c.MaxHalfOpen
	p.SocketBuffer = int(c.SocketBuffer)
	if err := c.trust(&p); err != nil {
		return poller.Config{}, err
	}
	p.AcceptRate, p.AcceptBurst = c.AcceptRate, c.AcceptBurst
	p.Limits, p.MaxHead, p.MaxBuffered = c.limits(), int(c.MaxHead), int64(c.MaxBuffered)
	p.HandshakeTimeout, p.HTTPIdle = c.HandshakeTimeout, c.HTTPIdle
	p.Drain, p.DrainTimeout, p.DrainCode = c.Drain, c.DrainTimeout, ws.StatusCode(c.DrainCode)
	p.LoopWarn, p.Log = c.LoopWarn, log
	if c.AccessLog {
		p.AccessLog = log
	}
	return p, nil
}

// trust has the poller believe the proxies that the configuration names.
func (c *Config) trust(p *poller.Config) error {
	trusted, err := c.parseProxies()
	if err != nil || len(c.TrustedProxies) == 0 {
		return err
	}
	p.Trusted, p.Preface = trusted.has, readPreface
	if c.ClientHeader != HeaderOff {
		p.Forwarded = clients{c.ClientHeader, trusted}.of
	}
	return nil
}

// inherited are the listening sockets handed on by systemd or by the process
// before this one (sd_listen_fds(3)): LISTEN_FDS of them from descriptor 3 on.
// LISTEN_PID is compared only when it is set: who hands on to a program it is
// about to become cannot know it.
func inherited(env func(string) (string, bool), pid int) ([]int, error) {
	text, ok := env("LISTEN_FDS")
	if !ok {
		return nil, nil
	}
	if owner, ok := env("LISTEN_PID"); ok && owner != strconv.Itoa(pid) {
		return nil, nil // meant for another process
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1024 {
		return nil, fmt.Errorf("LISTEN_FDS: %q is no number of sockets", text)
	}
	fds := make([]int, n)
	for i := range fds {
		fds[i] = 3 + i
	}
	return fds, nil
}

// tuneCollector makes the collector run after less garbage than Go's default,
// unless GOGC says otherwise: the heap is mostly the table of connections, which
// it never looks into, so a run costs little, and garbage left lying would cost
// as many bytes again for each of a million connections. What a first run needs
// is taken now.
func tuneCollector(env func(string) (string, bool)) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(25)
	}
	runtime.GC()
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
func logStart(c *Config, s *poller.Server, log *slog.Logger) {
	var lim unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
	addrs := make([]string, 0, 1)
	for _, a := range s.Addrs() {
		addrs = append(addrs, net.Addr.String(a))
	}
	log.Info("listening", "addrs", addrs, "loops", s.Loops(),
		"max_connections", s.MaxConnections(), "descriptors", lim.Cur,
		"max_message", c.MaxMessage.String(), "max_buffered", c.MaxBuffered.String(),
		"ping_interval", c.PingInterval.String(), "idle_timeout", c.IdleTimeout.String(), "version", version())
}
