package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Check is one figure of a row beside its bound.
type Check struct {
	Name   string  `json:"name"`
	Figure float64 `json:"figure"` // microseconds, bytes, or a number
	Text   string  `json:"text"`   // the figure with its unit
	Bound  string  `json:"bound,omitempty"`
	Held   bool    `json:"held"`
}

// checks are figures that have been judged.
type checks []Check

// note is a figure that nothing is promised of.
func (c *checks) note(name string, u unit, figure float64) {
	c.add(name, u, figure, "", true)
}

func (c *checks) atMost(name string, u unit, figure, bound float64) {
	c.add(name, u, figure, "≤ "+u.format(bound), figure <= bound)
}

func (c *checks) below(name string, u unit, figure, bound float64) {
	c.add(name, u, figure, "< "+u.format(bound), figure < bound)
}

func (c *checks) atLeast(name string, u unit, figure, bound float64) {
	c.add(name, u, figure, "≥ "+u.format(bound), figure >= bound)
}

// all is for what all clients, or so many of them, must meet.
func (c *checks) all(name string, got, want int) {
	c.add(name, number, float64(got), "= "+number.format(float64(want)), got == want)
}

func (c *checks) add(name string, u unit, figure float64, bound string, held bool) {
	*c = append(*c, Check{name, figure, u.format(figure), bound, held})
}

// Verdict is what became of a row.
type Verdict struct {
	Row     string  `json:"row"`
	Promise string  `json:"promise"`
	Clients int     `json:"clients"`
	Flags   string  `json:"flags,omitempty"`
	Checks  []Check `json:"checks"`
	Error   string  `json:"error,omitempty"` // why it was not played to its end
}

// Held reports whether the row was played to its end and kept every bound.
func (v *Verdict) Held() bool {
	for _, c := range v.Checks {
		if !c.Held {
			return false
		}
	}
	return v.Error == "" && len(v.Checks) > 0
}

// Verdicts are those of a run.
type Verdicts []Verdict

// failed names the rows that do not hold.
func (v Verdicts) failed() error {
	var ids []string
	for i := range v {
		if !v[i].Held() {
			ids = append(ids, v[i].Row)
		}
	}
	switch {
	case len(v) == 0:
		return fmt.Errorf("nothing was measured: no row was played")
	case len(ids) > 0:
		return fmt.Errorf("not held: %s", strings.Join(ids, ", "))
	}
	return nil
}

// promiseWidth is where promises go on in the next line.
const promiseWidth = 44

// Write writes the table row → promise → figure.
func (v Verdicts) Write(w io.Writer) error {
	t := newTable(1)
	right := func(n int) table.ColumnConfig {
		return table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: promiseWidth, WidthMaxEnforcer: text.WrapSoft}, right(4), right(5)})
	t.AppendHeader(table.Row{"row", "promise", "measured", "figure", "bound", ""})
	for i := range v {
		v[i].rows(t)
	}
	_, err := io.WriteString(w, t.Render()+"\n")
	return err
}

// rows are a line for each figure, the promise beside the first.
func (v *Verdict) rows(t table.Writer) {
	id, promise := v.Row, v.Promise
	add := func(measured, figure, bound, held string) {
		t.AppendRow(table.Row{id, promise, measured, figure, bound, held})
		id, promise = "", ""
	}
	for _, c := range v.Checks {
		held := "held"
		switch {
		case !c.Held:
			held = "NOT HELD"
		case c.Bound == "":
			held = ""
		}
		add(c.Name, c.Text, c.Bound, held)
	}
	if v.Error != "" {
		first, _, _ := strings.Cut(v.Error, "\n")
		add(first, "", "", "NOT HELD")
	}
}
