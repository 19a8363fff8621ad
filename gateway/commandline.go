package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// The sub-commands, as parse returns them.
const (
	commandServe       = "serve"
	commandRoutes      = "routes"
	commandHealthcheck = "healthcheck"
	commandVersion     = "version"
	commandClient      = "client"
	commandHelp        = "help" // --help has been answered
)

// Exit codes.
const (
	exitOK     = 0 // stopped as asked
	exitFailed = 1 // a listener died, or a second signal cut
	exitUsage  = 2 // bad command line or configuration, or what it asks cannot be had
)

const about = `A WebSocket echo gateway: every message comes back as it was sent, on /echo.`

// epilogue is the part of the reference that kong does not know.
const epilogue = `
Values
  SIZE is bytes: 65536, 64KiB, 1MiB, 64KB, 1MB. DURATION is 500ms, 10s, 1h30m, at
  most 5760h. 0 switches a limit, a timeout or the pings off.

Configuration
  The command line comes before the environment, the environment before the file,
  the file before the default. The file is YAML; its keys are the flags' names:
    listen: [":9998", "[::1]:9997"]
    max-message: 64KiB
  A list in the environment is separated by commas. An empty variable is not set.

Signals
  SIGTERM and SIGINT stop the gateway: it accepts no more, closes every connection
  with 1001, or what --drain-code says, and ends. A second one cuts at once.
  SIGHUP reads the configuration anew; connections keep the limits they have. A bad
  one is refused, and logged.
  SIGUSR2 starts the program anew, as a new version, on the same listening sockets
  and then drains; if the new process does not come up the old one stays.

Admin port
  /healthz, /readyz and /metrics are answered to everybody who reaches --admin; the
  rest, a live page at /, /connections, /debug/pprof/ and POST /drain, to loopback.

Exit codes
  0  stopped as asked; healthcheck: healthy
  1  a listener died, or a second signal cut; healthcheck: anything but healthy
  2  what was asked cannot be had: a bad command line or configuration, an address
     in use, more connections than descriptors; the message names it
`

// clientEpilogue is the same of the client.
const clientEpilogue = `
Exit codes
  0         closed with 1000
  1         no connection, or an end without a close frame
  2         a bad command line
  3         nothing came in time
  11 to 24  closed with 1001 to 1014; 15: without a code
  30, 40    closed with 3000 to 3999, with 4000 to 4999
`

// commandLine is what kong parses: the flags and the sub-commands. The flags
// belong to all of them, so that routes shows what serve would serve.
type commandLine struct {
	Config

	Serve       struct{} `cmd:"" default:"1" help:"Serve the routes until a signal comes. The default."`
	Routes      struct{} `cmd:"" help:"Print the routing table."`
	Healthcheck struct {
		Address string `arg:"" optional:"" help:"Address or URL of the admin port; without it, what --admin says."`
	} `cmd:"" help:"Ask a running gateway whether it is healthy; ends with 0 or 1."`
	Version struct{}      `cmd:"" help:"Print the version."`
	Client  clientCommand `cmd:"" help:"Connect to a WebSocket server, send, print what comes."`

	env func(string) (string, bool)
}

// BeforeResolve is kong's hook between the command line and the other sources.
func (l *commandLine) BeforeResolve(ctx *kong.Context) error {
	switch command, _, _ := strings.Cut(ctx.Command(), " "); command {
	case commandVersion: // is asked when something is wrong, and must answer then
		return nil
	case commandClient: // has nothing to do with how a gateway is configured
		for _, p := range ctx.Path {
			if p.Flag != nil && p.Flag.Group != nil {
				return fmt.Errorf("unknown flag --%s of client", p.Flag.Name)
			}
		}
		return nil
	}
	flags := options(ctx.Kong)
	src := sources{}
	if path := l.configFile(ctx); path != "" {
		if err := src.addFile(flags, path); err != nil {
			return err
		}
	}
	if err := src.addEnvironment(flags, l.env); err != nil {
		return err
	}
	ctx.AddResolver(src)
	l.origins = make(map[string]origin, len(src))
	for name, s := range src {
		l.origins[name] = s.origin
	}
	for _, p := range ctx.Path {
		if p.Flag != nil {
			l.origins[p.Flag.Name] = origin{fromCommandLine, "--" + p.Flag.Name}
		}
	}
	return nil
}

// configFile is needed before the other flags have their values.
func (l *commandLine) configFile(ctx *kong.Context) string {
	for _, flag := range options(ctx.Kong) {
		if flag.Name != "config" {
			continue
		}
		if path, _ := ctx.FlagValue(flag).(string); path != "" {
			return path
		}
	}
	_, path, _ := environment("config", l.env)
	return path
}

// parse reads the command line, the environment and the file, and answers
// --help on out. It touches nothing of the process. The Config it returns has
// been checked, but for version and help.
func parse(args []string, env func(string) (string, bool), out io.Writer) (command string, c *Config, err error) {
	command, line, err := parseLine(args, env, out)
	if err != nil {
		return "", nil, err
	}
	return command, &line.Config, nil
}

// parseLine is parse for who needs what a sub-command was given, too.
func parseLine(args []string, env func(string) (string, bool), out io.Writer) (command string, line *commandLine, err error) {
	line = &commandLine{env: env}
	helped := false
	k := newParser(line, out, func(int) { helped = true })
	ctx, err := k.Parse(args)
	if helped {
		return commandHelp, line, nil
	}
	if err != nil {
		return "", nil, err
	}
	command, _, _ = strings.Cut(ctx.Command(), " ") // its arguments follow
	switch command {
	case commandVersion:
	case commandClient:
		err = line.Client.check()
	default:
		err = line.check()
	}
	if err != nil {
		return "", nil, err
	}
	if command == commandHealthcheck && line.Healthcheck.Address != "" {
		line.Admin = line.Healthcheck.Address
	}
	return command, line, nil
}

// newParser builds the parser of line. exit is called when --help was answered.
func newParser(line *commandLine, out io.Writer, exit func(int)) *kong.Kong {
	k, err := kong.New(line, append(decoders(),
		kong.Name("echogate"),
		kong.Description(about),
		kong.Writers(out, out),
		kong.Exit(exit),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(describe),
	)...)
	if err != nil {
		panic("gateway: internal error: " + err.Error()) // a bad tag in Config
	}
	return k
}

// options are the flags of Config.
func options(k *kong.Kong) []*kong.Flag {
	var flags []*kong.Flag
	for _, flag := range k.Model.Flags {
		if flag != k.Model.HelpFlag {
			flags = append(flags, flag)
		}
	}
	return flags
}

// help is kong's own and the epilogue.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	more := epilogue
	if s := ctx.Selected(); s != nil && s.Name == "client" {
		more = clientEpilogue
		for _, flag := range options(ctx.Kong) {
			flag.Hidden = true
		}
	}
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	_, err := io.WriteString(ctx.Stdout, more)
	return err
}

// describe is the text beside a flag: what it does, its default, its variable.
func describe(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" {
		return v.Help
	}
	text := strings.TrimSuffix(v.Help, ".") + ". "
	if v.HasDefault {
		text += fmt.Sprintf("Default %s. ", v.Default)
	}
	if v.Flag.Group == nil { // of client
		return text
	}
	return text + "[" + variable(v.Name) + "]"
}
