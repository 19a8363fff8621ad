package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// usageError is an error of the command line that only shows when it is tried.
type usageError struct{ error }

// drive runs a mode and writes its reports.
func drive(ctx context.Context, m mode, out io.Writer, errOut *os.File) error {
	f := m.flags()
	d, err := f.prepare(m.load())
	if err != nil {
		return usageError{err}
	}
	command, metrics, err := f.locate(ctx, &d)
	if err != nil {
		return err
	}
	pids := f.Pid
	if command != "" {
		p, err := startProgram(ctx, command, &d.Servers[0], nil)
		if err != nil {
			return err
		}
		defer p.stop()
		pids = []int{p.Process.Pid}
	}
	processes, err := openProcesses(pids, metrics)
	if err != nil {
		return usageError{fmt.Errorf("--pid: %w", err)}
	}
	progress := NewProgress(errOut, goal(&d))
	run := measurement{load: d, procs: f.Procs, server: processes, interval: f.Every, show: progress.Show}
	r, err := run.run(ctx)
	progress.Stop()
	if err != nil {
		return err
	}
	if err := f.write(r, out); err != nil {
		return err
	}
	return f.judge(r)
}

// prepare finds, before anything is started, what would fail later, and reads
// the files that the flags name.
func (f *runFlags) prepare(d load) (load, error) {
	err := checkOutputs(output{"json", f.JSON}, output{"html", f.HTML})
	if err == nil {
		err = checkDescriptors(d.total(), f.Procs)
	}
	if err == nil {
		d.CA, err = readCA(f.CA)
	}
	if err == nil {
		d.Cert, d.Key, err = readPair(f.Cert, f.Key)
	}
	if err == nil && f.Payload != "" {
		d.Payload, err = readPayload(f.Payload, f.Text)
		d.Size = len(d.Payload)
	}
	return d, err
}

// locate finds where the servers of d are, and the sources that it takes for them.
// The command and the metrics have their ports then.
func (f *runFlags) locate(ctx context.Context, d *load) (command, metrics string, err error) {
	command, urls, err := withPort(f.Exec, f.urls())
	if err != nil {
		return "", "", err
	}
	if command, metrics, err = withAdminPort(command, f.Metrics); err != nil {
		return "", "", err
	}
	if d.Servers, err = lookUpAll(ctx, urls, f.Source); err != nil {
		return "", "", usageError{err}
	}
	if d.Sources == nil {
		d.Sources = loopbackSources(d.total(), d.Servers)
	}
	return command, metrics, nil
}

// readPayload reads the file of --payload.
func readPayload(name string, text bool) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--payload: %w", err)
	}
	defer file.Close()
	p, err := io.ReadAll(io.LimitReader(file, maxSize+1)) // what it is given may have no end
	switch {
	case err != nil:
		return nil, fmt.Errorf("--payload: %w", err)
	case len(p) > maxSize:
		return nil, fmt.Errorf("--payload: at most %v, %s has more", Size(maxSize), name)
	case text && !utf8.Valid(p):
		return nil, fmt.Errorf("--payload: %s is not UTF-8, as messages of --text are", name)
	}
	return p, nil
}

// goal is when a run of the load is over.
func goal(d *load) Goal {
	g := Goal{d.Duration, max(d.Messages, 0)}
	if d.Duration == unbounded {
		g.Duration = 0
	}
	return g
}

// openProcesses finds the server's processes. Metrics are those of the first.
func openProcesses(pids []int, metrics string) ([]*Process, error) {
	var processes []*Process
	for _, pid := range pids {
		p, err := OpenProcess(pid, metrics)
		if err != nil {
			return nil, err
		}
		processes, metrics = append(processes, p), ""
	}
	return processes, nil
}

// write writes the table, and what else was asked for. The table comes first:
// a disk that is full must not take it away.
func (f *watchFlags) write(r *Result, out io.Writer) error {
	if f.JSON == standardOutput {
		return r.WriteJSON(out)
	}
	if err := WriteReport(out, r); err != nil {
		return err
	}
	if err := writeFile(f.JSON, r.WriteJSON); err != nil {
		return err
	}
	return writeFile(f.HTML, func(w io.Writer) error { return WriteHTML(w, r) })
}

// judge says which conditions of --fail do not hold. Without any, a run fails
// in which nothing came back; idle connections need not have been probed.
func (f *watchFlags) judge(r *Result) error {
	if failed := f.Fail.Check(r); len(failed) > 0 {
		return conditionError(failed)
	}
	if r.Count == 0 && len(f.Fail) == 0 && (r.Mode != modeIdle || r.Upgrades == 0) {
		return fmt.Errorf("nothing was measured: no message came back")
	}
	return nil
}

// conditionError is the conditions that did not hold.
type conditionError []string

func (e conditionError) Error() string {
	text := "failed"
	for _, condition := range e {
		text += "\n  " + condition
	}
	return text
}
