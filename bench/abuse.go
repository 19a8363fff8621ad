package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// abuseCommand plays hostile clients against the gateway, a row of its limits
// after the other, each against a server of its own.
type abuseCommand struct {
	Row   []string      `placeholder:"ID" help:"Only these rows, as A1,B3."`
	Scale float64       `default:"1" placeholder:"N" help:"Share of the full size, for trying: a verdict counts at 1."`
	Quiet time.Duration `default:"3s" placeholder:"TIME" help:"How long the bystanders are measured before a row begins."`
	gatewayFlags
	JSON string `name:"json" placeholder:"FILE" help:"Write the verdicts as JSON; - is standard output, without the table."`
}

const modeAbuse = "abuse"

func (c *abuseCommand) check() error {
	switch {
	case c.Scale <= 0 || c.Scale > 1:
		return fmt.Errorf("--scale: more than 0 and at most 1, not %v", c.Scale)
	case c.Quiet <= 0:
		return fmt.Errorf("--quiet: more than 0, not %v", c.Quiet)
	}
	if err := c.gatewayFlags.check(); err != nil {
		return err
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
	if err := checkOutputs(output{"json", c.JSON}); err != nil {
		return usageError{err}
	}
	command, remove, err := c.command(ctx, adminOff, errOut)
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
	if c.JSON == standardOutput {
		return asJSON(out)
	}
	if err := v.Write(out); err != nil {
		return err
	}
	return writeFile(c.JSON, asJSON)
}
