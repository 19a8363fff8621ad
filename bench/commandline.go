package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

const about = `A load generator for WebSocket servers that echo: every byte that comes back is verified.`

const commandHelp = "help" // --help or --version has been answered

// epilogue is the part of the reference that kong does not know.
const epilogue = `
Examples
  bench echo -c 100 --pipeline 16 -d 10s ws://127.0.0.1:9998/echo
  bench rate --rate 50k -c 1000 --fail 'p99<20ms,errors==0' --html report.html
  bench echo -n 1M -H 'Authorization: Bearer secret' wss://example.org/echo

Values
  SIZE is bytes: 64, 1KiB, 1MB. N is 100, 50k or 1M. TIME is 500ms, 10s, 5m.

More connections than one process has descriptors need --procs, more than one
address has ports (about 28,000) need --source.

Ctrl-C ends a run early and prints what was measured.

Exit codes
  0  measured
  1  a condition of --fail, a row of abuse or a soak does not hold, or nothing
     could be measured
  2  bad command line; the message names the flag
`

// parsed is a command line that has been checked.
type parsed struct {
	commandLine
	command string
	mode    mode // nil for abuse, compare, soak and the worker
}

// parse reads the command line, and answers --help and --version on out.
func parse(args []string, out io.Writer) (*parsed, error) {
	p := new(parsed)
	helped := false
	k := newKong(&p.commandLine, out, func(int) { helped = true })
	ctx, err := k.Parse(args)
	if helped {
		p.command = commandHelp
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.command, _, _ = strings.Cut(ctx.Command(), " ")
	p.mode = map[string]mode{
		modeEcho: &p.Echo, modeRate: &p.Rate, modeIdle: &p.Idle,
		modeStorm: &p.Storm, modeSlow: &p.Slow, modeMixed: &p.Mixed,
	}[p.command]
	if p.mode != nil {
		p.mode.flags().given = given(ctx)
		return p, p.mode.check()
	}
	if p.command == modeCompare {
		return p, p.Compare.check()
	}
	if p.command == modeAbuse {
		return p, p.Abuse.check()
	}
	if p.command == modeSoak {
		return p, p.Soak.check()
	}
	return p, nil
}

// given are the flags on the command line, by name.
func given(ctx *kong.Context) map[string]bool {
	names := make(map[string]bool)
	for _, p := range ctx.Path {
		if p.Flag != nil {
			names[p.Flag.Name] = true
		}
	}
	return names
}

// newKong builds the parser of line. exit is called when --help or --version was
// answered.
func newKong(line *commandLine, out io.Writer, exit func(int)) *kong.Kong {
	k, err := kong.New(line, append(decoders(),
		kong.Name("bench"),
		kong.Description(about),
		kong.Writers(out, out),
		kong.Exit(exit),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(describe),
		kong.Vars{"inflight": strconv.Itoa(defaultInFlight), "url": defaultURL, "version": version()},
	)...)
	if err != nil {
		panic("bench: internal error: " + err.Error()) // a bad tag in commandLine
	}
	return k
}

// version is that of the program: of its module, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "bench, version unknown"
	}
	text := "bench " + info.Main.Version + ", " + info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(info.Main.Version, s.Value[:min(len(s.Value), 12)]) {
			text += ", commit " + s.Value
		}
	}
	return text
}

// help is kong's own and the epilogue.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	_, err := io.WriteString(ctx.Stdout, epilogue)
	return err
}

// describe is the text beside a flag: what it does, and its default.
func describe(v *kong.Value) string {
	if !v.HasDefault {
		return v.Help
	}
	return fmt.Sprintf("%s Default %s.", v.Help, v.Default)
}
