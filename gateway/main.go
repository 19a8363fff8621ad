package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"echogate/gateway/fault"
)

func main() {
	os.Exit(run(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run does what the command line says and returns the exit code.
func run(args []string, env func(string) (string, bool), out, errOut io.Writer) int {
	command, line, err := parseLine(args, env, out)
	if err != nil && slices.Contains(args, commandHealthcheck) {
		return unhealthy(err, errOut) // 0 or 1, whatever happens
	}
	if err != nil {
		fmt.Fprintf(errOut, "echogate: %v\nRun \"echogate --help\" for what is accepted.\n", err)
		return exitUsage
	}
	switch command {
	case commandVersion:
		fmt.Fprintln(out, version())
	case commandHealthcheck:
		return healthcheck(line.Admin, out, errOut)
	case commandClient:
		return line.Client.run(out, errOut)
	case commandRoutes:
		return printRoutes(&line.Config, out, errOut)
	case commandServe:
		again := func() (*Config, error) {
			_, c, err := parse(args, env, io.Discard)
			return c, err
		}
		return serve(&line.Config, again, env, errOut)
	}
	return exitOK
}

// printRoutes prints the routing table: path, kind, and what is there.
func printRoutes(c *Config, out, errOut io.Writer) int {
	_, all, err := table(c, new(fault.Counts))
	if err != nil {
		fmt.Fprintf(errOut, "echogate: %v\n", err)
		return exitUsage
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, l := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.path, l.kind(), l.about)
	}
	_ = w.Flush()
	return exitOK
}
