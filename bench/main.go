package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // a condition of --fail, a row of abuse or a soak did not hold, or nothing could be measured
	exitUsage  = 2 // bad command line
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run does what the command line says and returns the exit code.
func run(args []string, in io.Reader, out io.Writer, errOut *os.File) int {
	p, err := parse(args, out)
	if err != nil {
		fmt.Fprintf(errOut, "bench: %v\nRun \"bench --help\" for what is accepted.\n", err)
		return exitUsage
	}
	switch {
	case p.command == commandHelp:
	case p.command == commandWorker:
		err = work(in, out)
	case p.command == modeCompare:
		err = interruptible(func(ctx context.Context) error { return compare(ctx, &p.Compare, out, errOut) })
	case p.command == modeAbuse:
		err = interruptible(func(ctx context.Context) error { return abuse(ctx, &p.Abuse, out, errOut) })
	case p.command == modeSoak:
		err = interruptible(func(ctx context.Context) error { return soak(ctx, &p.Soak, out, errOut) })
	default:
		err = interruptible(func(ctx context.Context) error { return drive(ctx, p.mode, out, errOut) })
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(errOut, "bench: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// interruptible calls f with a context that Ctrl-C ends. A second one ends the
// program.
func interruptible(f func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return f(ctx)
}
