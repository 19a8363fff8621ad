package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// usageError is an error of the command line that only shows when it is tried.
type usageError struct{ error }

// drive runs a mode and writes its reports.
func drive(ctx context.Context, m mode, out io.Writer, errOut *os.File) error {
	f := m.flags()
	d := m.load()
	if err := checkDescriptors(d.total(), f.Procs); err != nil {
		return usageError{err}
	}
	if err := checkFiles(f.JSON, f.HTML); err != nil {
		return usageError{err}
	}
	command, urls, err := withPort(f.Exec, f.URL)
	if err != nil {
		return err
	}
	if d.Servers, err = lookUpAll(ctx, urls, f.Source); err != nil {
		return usageError{err}
	}
	if d.CA, err = readCA(f.CA); err != nil {
		return usageError{err}
	}
	if d.Sources == nil {
		d.Sources = loopbackSources(d.total(), d.Servers)
	}
	pids := f.Pid
	if command != "" {
		p, err := startProgram(ctx, command, d.Servers[0].Address, nil)
		if err != nil {
			return err
		}
		defer p.stop()
		pids = []int{p.Process.Pid}
	}
	processes, err := openProcesses(pids, f.Metrics)
	if err != nil {
		return usageError{fmt.Errorf("--pid: %w", err)}
	}
	progress := NewProgress(errOut, Goal{d.Duration, max(d.Messages, 0)})
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

// checkFiles fails before a run what would fail at its end.
func checkFiles(names ...string) error {
	for _, name := range names {
		if name == "" || name == "-" {
			continue
		}
		if _, err := os.Stat(filepath.Dir(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// write writes the table, and what else was asked for. The table comes first:
// a disk that is full must not take it away.
func (f *watchFlags) write(r *Result, out io.Writer) error {
	if f.JSON == "-" {
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

// writeFile writes a file, unless it has no name.
func writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return file.Close()
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
