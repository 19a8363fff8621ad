package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Soak is what a soak found, and the schema of its --json.
type Soak struct {
	Version     int          `json:"version"`
	Started     time.Time    `json:"started"`
	Command     string       `json:"command"` // the server
	Scale       float64      `json:"scale"`
	Interrupted bool         `json:"interrupted,omitempty"`
	Figures     []Flat       `json:"figures"`
	Checks      []Check      `json:"checks"` // what clients noticed
	Crowd       []CrowdCount `json:"crowd"`
	Bystanders  *Result      `json:"bystanders"`
	Samples     []SoakSample `json:"samples"`
}

// check judges what clients noticed: whoever keeps to the protocol is served,
// and as fast at the end as at the beginning.
func (s *Soak) check() {
	var c checks
	r := s.Bystanders
	first, last := s.thirds()
	c.note("bystanders' messages", number, float64(r.Count))
	c.note("bystanders' p99", duration, micros(r.Latency.P99))
	c.note("  in the first third", duration, first)
	c.below("  in the last third", duration, last, 2*first)
	c.atMost("bystanders lost", number, float64(r.Lost), 0)
	var failed int64
	for i := range s.Crowd {
		failed += s.Crowd[i].Failed
	}
	c.atMost("clients not treated as they should be", number, float64(failed), 0)
	s.Checks = c
}

// thirds are the bystanders' p99 at the beginning and the end of the load, in
// microseconds: medians of those of the intervals.
func (s *Soak) thirds() (first, last float64) {
	load := of(s.Samples, phaseLoad)
	if len(load) < 3 {
		return 0, 0
	}
	p99 := func(part []SoakSample) float64 {
		var values []float64
		for _, m := range s.Bystanders.Series {
			at := s.Bystanders.Started.Add(time.Duration(m.At))
			if m.P99 > 0 && !at.Before(part[0].At) && !at.After(part[len(part)-1].At) {
				values = append(values, micros(m.P99))
			}
		}
		if len(values) == 0 {
			return 0
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	third := len(load) / 3
	return p99(load[:third]), p99(load[len(load)-third:])
}

// judge names what does not hold.
func (s *Soak) judge(t Thresholds) error {
	failed := t.Check(s.Bystanders)
	if s.Interrupted {
		failed = append(failed, "interrupted: a part proves nothing")
	}
	for i := range s.Figures {
		if f := &s.Figures[i]; !f.Held {
			failed = append(failed, f.Name+" is not flat")
		}
	}
	for _, c := range s.Checks {
		if !c.Held {
			failed = append(failed, fmt.Sprintf("%s: %s, not %s", strings.TrimSpace(c.Name), c.Text, c.Bound))
		}
	}
	if len(s.Figures) == 0 {
		failed = append(failed, "nothing was measured")
	}
	if len(failed) > 0 {
		return conditionError(failed)
	}
	return nil
}

// WriteJSON writes s with all its samples.
func (s *Soak) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(s)
}

// Write writes the tables for people.
func (s *Soak) Write(w io.Writer) error {
	return s.write(w, func(title string) string { return title }, table.Writer.Render)
}

// WriteMarkdown writes them for a record.
func (s *Soak) WriteMarkdown(w io.Writer) error {
	return s.write(w, func(title string) string { return "### " + title + "\n" }, table.Writer.RenderMarkdown)
}

func (s *Soak) write(w io.Writer, title func(string) string, render func(table.Writer) string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "soak %s: %s\n", s.Command, s.asked())
	for _, p := range s.sections() {
		columns := len(p.Header)
		t := newTable(columns)
		last := table.ColumnConfig{Number: columns, Align: text.AlignLeft, AlignHeader: text.AlignLeft}
		right := make([]table.ColumnConfig, 0, columns)
		for n := 2; n < columns; n++ {
			right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
		t.SetColumnConfigs(append(right, last))
		t.AppendHeader(anys(p.Header))
		for _, row := range p.Rows {
			t.AppendRow(anys(row))
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", title(p.Title), render(t))
	}
	for _, note := range s.notes() {
		fmt.Fprintf(&b, "\nnote: %s", note)
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func anys(cells []string) (row table.Row) {
	for _, c := range cells {
		row = append(row, c)
	}
	return row
}

// asked is what was asked for.
func (s *Soak) asked() string {
	load := of(s.Samples, phaseLoad)
	parts := []string{fmt.Sprintf("%s read", plural(int64(len(s.Samples)), "sample"))}
	if len(load) > 0 {
		parts = append(parts, formatDuration(load[len(load)-1].Since-load[0].Since)+" of load")
	}
	return strings.Join(append(parts, "scale "+formatDigits(s.Scale, tableDigits)), ", ")
}

// sections are the tables: what the server held, what clients noticed, who they
// were.
func (s *Soak) sections() []section {
	held := section{Title: "What the server held", Header: []string{"", "before", "first third", "last third", "at most", "after", "at most", ""}}
	for i := range s.Figures {
		held.Rows = append(held.Rows, s.Figures[i].row())
	}
	noticed := section{Title: "What clients noticed", Header: []string{"", "figure", "bound", ""}}
	for _, c := range s.Checks {
		noticed.Rows = append(noticed.Rows, []string{c.Name, c.Text, c.Bound, verdict(c.Bound != "", c.Held)})
	}
	crowd := section{Title: "Who came", Header: []string{"", "at a time", "as it should be", "not", ""}}
	for _, k := range s.Crowd {
		crowd.Rows = append(crowd.Rows, []string{k.Name, number.format(float64(k.Clients)), number.format(float64(k.Done)), number.format(float64(k.Failed)), k.First})
	}
	return []section{held, noticed, crowd}
}

func (f *Flat) row() []string {
	row := []string{f.Name}
	for _, v := range []float64{f.Before, f.First, f.Last, f.MostLast, f.After, f.MostThen} {
		row = append(row, f.format(v))
	}
	return append(row, verdict(true, f.Held))
}

func (f *Flat) format(v float64) string {
	if f.unit == size {
		return formatBytes(v, tableDigits)
	}
	return formatNumber(v, tableDigits)
}

func verdict(bound, held bool) string {
	switch {
	case !held:
		return "NOT HELD"
	case bound:
		return "held"
	}
	return ""
}

// notes are what to know about the figures.
func (s *Soak) notes() []string {
	list := slices.Clone(s.Bystanders.Notes)
	missing := make(map[string]bool)
	for i := range s.Samples {
		for _, m := range s.Samples[i].Missing {
			missing[m] = true
		}
	}
	for m := range missing {
		list = append(list, "server: not read: "+m)
	}
	if s.Bystanders.Bottleneck != "" {
		list = append(list, "the client was the bottleneck: "+s.Bystanders.Bottleneck)
	}
	slices.SortFunc(list, cmp.Compare[string])
	return list
}
