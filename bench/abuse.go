package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// abuseCommand plays hostile clients against the gateway, a row of its limits
// after the other, each against a server of its own.
type abuseCommand struct {
	Row     []string      `placeholder:"ID" help:"Only these rows, as A1,B3."`
	Scale   float64       `default:"1" placeholder:"N" help:"Share of the full size, for trying: a verdict counts at 1."`
	Quiet   time.Duration `default:"3s" placeholder:"TIME" help:"How long the bystanders are measured before a row begins."`
	Gateway string        `placeholder:"FILE" help:"The gateway's program. Without it and --exec it is built from this repository."`
	Exec    string        `placeholder:"COMMAND" help:"How to start the server. {port} is replaced by a free port; a row's flags follow."`
	JSON    string        `name:"json" placeholder:"FILE" help:"Write the verdicts as JSON; - is standard output, without the table."`
}

const modeAbuse = "abuse"

func (c *abuseCommand) check() error {
	switch {
	case c.Scale <= 0 || c.Scale > 1:
		return fmt.Errorf("--scale: more than 0 and at most 1, not %v", c.Scale)
	case c.Quiet <= 0:
		return fmt.Errorf("--quiet: more than 0, not %v", c.Quiet)
	case c.Exec != "" && c.Gateway != "":
		return fmt.Errorf("--exec and --gateway: only one of them")
	case c.Exec != "" && !strings.Contains(c.Exec, portPlace):
		return fmt.Errorf("--exec: %s is needed in it", portPlace)
	}
	for _, id := range c.Row {
		if !slices.ContainsFunc(abuseRows, func(r row) bool { return r.id == id }) {
			return fmt.Errorf("--row: there is no row %q", id)
		}
	}
	return nil
}

// rows are those that were asked for, in the order of the table.
func (c *abuseCommand) rows() []row {
	if len(c.Row) == 0 {
		return abuseRows
	}
	return slices.DeleteFunc(slices.Clone(abuseRows), func(r row) bool { return !slices.Contains(c.Row, r.id) })
}

// abuse plays all rows and writes their verdicts. Interrupted, it writes those
// that there are.
func abuse(ctx context.Context, c *abuseCommand, out, errOut io.Writer) error {
	rows := c.rows()
	for i := range rows {
		if err := checkDescriptors(rows[i].connections(c.Scale), 0); err != nil {
			return usageError{err}
		}
	}
	if err := checkFiles(c.JSON); err != nil {
		return usageError{err}
	}
	command, remove, err := c.command(ctx, errOut)
	defer remove()
	if err != nil {
		return usageError{err}
	}
	var verdicts Verdicts
	for i := range rows {
		fmt.Fprintf(errOut, "%s: %s\n", rows[i].id, rows[i].promise)
		v := c.play(ctx, command, &rows[i])
		if ctx.Err() != nil {
			break // half a row proves nothing
		}
		verdicts = append(verdicts, v)
	}
	return errors.Join(c.write(verdicts, out), verdicts.failed())
}

// command starts the server of a row, whose flags follow.
func (c *abuseCommand) command(ctx context.Context, errOut io.Writer) (command string, remove func(), err error) {
	const flags = gatewayFlags + " --log-level error --listen 127.0.0.1:" + portPlace
	remove = func() {}
	if c.Exec != "" {
		return c.Exec, remove, nil
	}
	if c.Gateway != "" {
		return c.Gateway + flags, remove, nil
	}
	dir, err := os.MkdirTemp("", "bench-abuse-")
	if err != nil {
		return "", remove, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file := filepath.Join(dir, gatewayName)
	fmt.Fprintf(errOut, "building %s\n", gatewayName)
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", file, "./"+gatewayName).CombinedOutput(); err != nil {
		return "", remove, fmt.Errorf("--gateway: needed elsewhere than in the top directory of the repository: go build: %w\n%s", err, text)
	}
	return file + flags, remove, nil
}

// play starts a server for one row, plays it and judges it.
func (c *abuseCommand) play(ctx context.Context, command string, r *row) Verdict {
	ctx, cancel := context.WithTimeout(ctx, rowTime)
	defer cancel()
	v := Verdict{Row: r.id, Promise: r.promise, Clients: r.clients(c.Scale), Flags: r.arguments(c.Scale)}
	s, err := newStage(ctx, command+" "+v.Flags, v.Clients)
	if err == nil {
		err = s.play(ctx, r, c.Quiet)
		v.Checks = s.checks
		s.close()
	}
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// rowTime bounds one row, its server's start and end left out.
const rowTime = 3 * time.Minute

func (c *abuseCommand) write(v Verdicts, out io.Writer) error {
	asJSON := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	if c.JSON == "-" {
		return asJSON(out)
	}
	if err := v.Write(out); err != nil {
		return err
	}
	return writeFile(c.JSON, asJSON)
}
