package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Comparison is what `compare` measured: several runs of every candidate in
// every cell of a grid.
type Comparison struct {
	Version    int       `json:"version"` // resultVersion, as of the Results in it
	Started    time.Time `json:"started"`
	Base       string    `json:"base"` // the candidate that the others are divided by
	Candidates []string  `json:"candidates"`
	Cells      []*Cell   `json:"cells"`
}

// Cell is one load, as "100 connections, 64 B, pipeline 1".
type Cell struct {
	Name string               `json:"name"`
	Runs map[string][]*Result `json:"runs"` // by candidate, in the order of the rounds
}

// NewComparison makes an empty Comparison whose base is the first candidate.
func NewComparison(started time.Time, candidates []string) *Comparison {
	c := &Comparison{Version: resultVersion, Started: started.Round(0), Candidates: candidates}
	if len(candidates) > 0 {
		c.Base = candidates[0]
	}
	return c
}

// Add adds a run of a candidate. The cells stand in the order in which they
// were first added to.
func (c *Comparison) Add(cell, candidate string, r *Result) {
	i := slices.IndexFunc(c.Cells, func(x *Cell) bool { return x.Name == cell })
	if i < 0 {
		i = len(c.Cells)
		c.Cells = append(c.Cells, &Cell{Name: cell, Runs: make(map[string][]*Result)})
	}
	c.Cells[i].Runs[candidate] = append(c.Cells[i].Runs[candidate], r)
}

// compared are the figures that get a table each, if any run has them.
var compared = []struct {
	title  string
	value  func(*Result) (float64, bool)
	format func(float64, int) string
}{
	{"Server CPU per message", serverFigure(func(u *Usage) float64 { return u.CPUPerMessage }), formatMicros},
	{"Messages per second", func(r *Result) (float64, bool) { return r.Rate, r.Count > 0 }, formatNumber},
	{"Connections per second", func(r *Result) (float64, bool) { return r.UpgradesPerSecond, r.UpgradesPerSecond > 0 }, formatNumber},
	{"Latency, p50", latency(func(l *Latency) Micros { return l.P50 }), formatMicros},
	{"Latency, p99", latency(func(l *Latency) Micros { return l.P99 }), formatMicros},
	{"Server memory per connection (RSS)", serverFigure(func(u *Usage) float64 { return u.RSSPerConnection }), formatBytes},
	{"Server memory per connection (PSS)", serverFigure(func(u *Usage) float64 { return u.PSSPerConnection }), formatBytes},
}

// serverFigure is a figure that only a run with --pid or --exec has.
func serverFigure(f func(*Usage) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Server == nil {
			return 0, false
		}
		v := f(r.Server)
		return v, v != 0
	}
}

// median is that of the values that runs have.
func median(runs []*Result, value func(*Result) (float64, bool)) (float64, bool) {
	var values []float64
	for _, r := range runs {
		if v, ok := value(r); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 0 {
		return (values[mid-1] + values[mid]) / 2, true
	}
	return values[mid], true
}

// Write writes c for people.
func (c *Comparison) Write(w io.Writer) error {
	return c.write(w, func(title string) string { return title }, func(t table.Writer) string { return t.Render() })
}

// WriteMarkdown writes c for a README or a record.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	return c.write(w, func(title string) string { return "### " + title + "\n" }, func(t table.Writer) string { return t.RenderMarkdown() })
}

// WriteJSON writes c with all its runs.
func (c *Comparison) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

func (c *Comparison) write(w io.Writer, title func(string) string, render func(table.Writer) string) error {
	var b strings.Builder
	for _, figure := range compared {
		t := newTable(1 + len(c.Candidates))
		header := table.Row{""}
		for _, name := range c.Candidates {
			header = append(header, name)
		}
		t.AppendHeader(header)
		for _, cell := range c.Cells {
			if row := c.row(cell, figure.value, figure.format); row != nil {
				t.AppendRow(row)
			}
		}
		if t.Length() > 0 {
			fmt.Fprintf(&b, "%s\n%s\n\n", title(figure.title), render(t))
		}
	}
	fmt.Fprintf(&b, "Medians; in parentheses the ratio to %s.\n", c.Base)
	for _, trouble := range c.troubles() {
		fmt.Fprintf(&b, "\n* %s", trouble)
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

// row is nil when no candidate has the figure in this cell.
func (c *Comparison) row(cell *Cell, value func(*Result) (float64, bool), format func(float64, int) string) table.Row {
	row, known := table.Row{cell.Name}, false
	base, hasBase := median(cell.Runs[c.Base], value)
	for _, name := range c.Candidates {
		v, ok := median(cell.Runs[name], value)
		if !ok {
			row = append(row, "–")
			continue
		}
		known = true
		text := format(v, tableDigits)
		if hasBase && base != 0 && name != c.Base {
			text += fmt.Sprintf(" (%s×)", formatRatio(v/base))
		}
		if trouble(cell.Runs[name]) != "" {
			text += " *"
		}
		row = append(row, text)
	}
	if !known {
		return nil
	}
	return row
}

// formatRatio keeps two decimals where they tell candidates apart.
func formatRatio(r float64) string {
	if r < 10 {
		return fmt.Sprintf("%.2f", r)
	}
	return fmt.Sprintf("%.1f", r)
}

// troubles are the reasons not to believe a figure, one for each candidate and
// cell.
func (c *Comparison) troubles() []string {
	var list []string
	for _, cell := range c.Cells {
		for _, name := range c.Candidates {
			if why := trouble(cell.Runs[name]); why != "" {
				list = append(list, fmt.Sprintf("%s, %s: %s", name, cell.Name, why))
			}
		}
	}
	return list
}

func trouble(runs []*Result) string {
	var sum Counts
	failed, slow := 0, 0
	for _, r := range runs {
		sum.add(&r.ErrorsByKind)
		if r.Errors > 0 {
			failed++
		}
		if r.Bottleneck != "" {
			slow++
		}
	}
	var why []string
	if failed > 0 {
		why = append(why, fmt.Sprintf("%s in %d of %s: %s", plural(sum.Sum(), "error"), failed, plural(int64(len(runs)), "run"), sum.list()))
	}
	if slow > 0 {
		why = append(why, fmt.Sprintf("the client was the bottleneck in %d of %s", slow, plural(int64(len(runs)), "run")))
	}
	return strings.Join(why, "; ")
}
