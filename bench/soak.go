package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// soakCommand lets everything loose on one server, all the time, and looks
// whether what the server holds stays the same.
type soakCommand struct {
	Duration time.Duration `short:"d" default:"20m" placeholder:"TIME" help:"How long to measure."`
	Warm     time.Duration `default:"1m" placeholder:"TIME" help:"How long the load is on before measuring begins."`
	Settle   time.Duration `default:"3m" placeholder:"TIME" help:"How long at most the server gets, when the load is off, to hold what it did before."`
	Every    time.Duration `default:"5s" placeholder:"TIME" help:"How often the server's figures are read."`
	Scale    float64       `default:"1" placeholder:"N" help:"How many of the clients there are: 0.1 is a tenth, 3 three times as many."`
	Rate     Number        `default:"1000" placeholder:"N" help:"Messages a second of the bystanders."`
	gatewayFlags
	Metrics  string     `placeholder:"URL" help:"Prometheus metrics of the server, where its heap and goroutines are looked up. {admin} is replaced by a second free port, in --exec too. Without --exec they are the gateway's."`
	JSON     string     `name:"json" placeholder:"FILE" help:"Write everything as JSON; - is standard output, without the tables."`
	Markdown string     `placeholder:"FILE" help:"Write the tables as Markdown."`
	HTML     string     `name:"html" placeholder:"FILE" help:"Write a page with plots."`
	Fail     Thresholds `placeholder:"CONDITIONS" help:"Exit with 1 unless these hold too, of the bystanders, as p99<20ms,lost==0."`
}

const modeSoak = "soak"

// leastSamples is how many a third of the run needs for a median.
const leastSamples = 3

// mostScale keeps the clients below the descriptors and ports of one process.
const mostScale = 10

func (c *soakCommand) check() error {
	switch {
	case c.Every <= 0:
		return fmt.Errorf("--every: more than 0, not %v", c.Every)
	case c.Duration < 3*leastSamples*c.Every:
		return fmt.Errorf("--duration: at least %v, %d times --every, not %v", 3*leastSamples*c.Every, 3*leastSamples, c.Duration)
	case c.Warm < 0:
		return fmt.Errorf("--warm: not less than 0, as %v", c.Warm)
	case c.Settle < 0:
		return fmt.Errorf("--settle: not less than 0, as %v", c.Settle)
	case c.Scale <= 0 || c.Scale > mostScale:
		return fmt.Errorf("--scale: more than 0 and at most %d, not %v", mostScale, c.Scale)
	case c.Rate <= 0:
		return fmt.Errorf("--rate: more than 0, not %v", c.Rate)
	}
	return c.gatewayFlags.check()
}

const adminAddress = "127.0.0.1:" + adminPlace

// soak plays the whole soak and writes what came of it. Interrupted, it writes
// what it has; that is no proof.
func soak(ctx context.Context, c *soakCommand, out io.Writer, errOut *os.File) error {
	if err := checkDescriptors(crowdSize(c.Scale)+bystanderCount, 0); err != nil {
		return usageError{err}
	}
	if err := checkOutputs(output{"json", c.JSON}, output{"markdown", c.Markdown}, output{"html", c.HTML}); err != nil {
		return usageError{err}
	}
	if c.Exec == "" && c.Metrics == "" {
		c.Metrics = "http://" + adminAddress + "/metrics"
	}
	command, remove, err := c.command(ctx, " --admin "+adminAddress, errOut)
	defer remove()
	if err != nil {
		return usageError{err}
	}
	s, err := c.run(ctx, command, errOut)
	if err != nil {
		return err
	}
	return errors.Join(c.write(s, out), s.judge(c.Fail))
}

// run starts the server, lets everybody in, and out again.
func (c *soakCommand) run(ctx context.Context, template string, errOut *os.File) (*Soak, error) {
	command, metrics, err := withAdminPort(template, c.Metrics)
	if err != nil {
		return nil, err
	}
	st, err := newStage(ctx, command, 0)
	if err != nil {
		return nil, err
	}
	defer st.close()
	st.process.metrics = metrics
	pause(ctx, settling) // the connection that found the server listening is to be gone
	w := &soakWatch{process: st.process, started: time.Now()}
	if err := w.look(ctx, phaseBefore); err != nil {
		return nil, err
	}
	r, crowd, err := c.load(ctx, st, w, errOut)
	if err != nil {
		return nil, err
	}
	s := &Soak{Version: resultVersion, Started: w.started, Command: named(template), Scale: c.Scale, Bystanders: r, Crowd: crowd}
	if s.Interrupted = ctx.Err() != nil; !s.Interrupted {
		fmt.Fprintln(errOut, "the load is off")
		if err := c.settle(ctx, w); err != nil {
			return nil, err
		}
	}
	s.Samples, s.Figures = w.samples, flatFigures(w.samples)
	s.check()
	return s, nil
}

// named is a command without the directory of its program, which says nothing
// to who reads a record.
func named(command string) string {
	program, rest, _ := strings.Cut(command, " ")
	return strings.TrimSpace(filepath.Base(program) + " " + rest)
}

// load is everything between the first client and the last. What ends it is
// the time, or ctx.
func (c *soakCommand) load(ctx context.Context, st *stage, w *soakWatch, errOut *os.File) (*Result, []CrowdCount, error) {
	progress := NewProgress(errOut, Goal{Duration: c.Warm + c.Duration})
	defer progress.Stop()
	m := st.bystanders(c.Warm + c.Duration + rowTime)
	m.load.Mode, m.load.Rate, m.load.Messages = modeRate, float64(c.Rate), -1
	m.server, m.interval, m.show = []*Process{st.process}, c.Every, progress.Show
	end, err := begin(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	leave := enterCrowd(ctx, st, c.Scale)
	failed := w.watch(ctx, c)
	counts := leave()
	r, err := end()
	return r, counts, errors.Join(failed, err)
}

// settle waits until the server holds no more than before, or has had its time.
func (c *soakCommand) settle(ctx context.Context, w *soakWatch) error {
	for begun := time.Now(); ; pause(ctx, min(c.Every, time.Second)) {
		if err := w.look(ctx, phaseAfter); err != nil {
			return err
		}
		if returned(w.samples) || time.Since(begun) >= c.Settle || ctx.Err() != nil {
			return nil
		}
	}
}

// write writes the tables, and what else was asked for.
func (c *soakCommand) write(s *Soak, out io.Writer) error {
	if c.JSON == standardOutput {
		return s.WriteJSON(out)
	}
	if err := s.Write(out); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{c.JSON: s.WriteJSON, c.Markdown: s.WriteMarkdown, c.HTML: s.WriteHTML} {
		if err := writeFile(name, write); err != nil {
			return err
		}
	}
	return nil
}
