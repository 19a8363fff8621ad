package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// tableDigits is how many digits of a figure people are shown. The histogram's
// buckets are not finer, and no run repeats to a tenth of a percent.
const tableDigits = 3

// newTable makes a table without lines whose first column is a name and whose
// others are figures: columns in all.
func newTable(columns int) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault // p99 is not P99
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "   "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	configs := make([]table.ColumnConfig, columns-1)
	for i := range configs {
		configs[i] = table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	t.SetColumnConfigs(configs)
	return t
}

// render writes rows of text under a header, if there is one. The first column
// has the same width in all tables of a report.
func render(header []string, rows [][]string) string {
	const nameWidth = 26
	columns := len(header)
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	t := newTable(columns)
	if header != nil {
		t.AppendHeader(cells(header, nameWidth))
	}
	for _, row := range rows {
		t.AppendRow(cells(row, nameWidth))
	}
	return t.Render()
}

func cells(row []string, nameWidth int) table.Row {
	out := table.Row{text.Pad(row[0], nameWidth, ' ')}
	for _, cell := range row[1:] {
		out = append(out, cell)
	}
	return out
}

// WriteReport writes r for people. When the client was the bottleneck the
// first line says so: whoever reads no further must not take its figures for
// the server's.
func WriteReport(w io.Writer, r *Result) error {
	var b strings.Builder
	if r.Bottleneck != "" {
		fmt.Fprintf(&b, "THE CLIENT WAS THE BOTTLENECK: %s. The figures are the client's, not the server's.\n\n", r.Bottleneck)
	}
	fmt.Fprintf(&b, "%s %s: %s\n\n", r.Mode, r.URL, asked(r))
	for _, row := range totals(r) {
		fmt.Fprintf(&b, "%-14s%s\n", row[0], row[1])
	}
	if r.Latency.Count > 0 {
		fmt.Fprintf(&b, "\n%s\n", render(latencyHeader, [][]string{latencyRow(&r.Latency)}))
	}
	if header, rows := processFigures(r); len(rows) > 0 {
		fmt.Fprintf(&b, "\n%s\n", render(header, rows))
	}
	for _, note := range notes(r) {
		fmt.Fprintf(&b, "\nnote: %s", note)
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

// asked is what was asked for.
func asked(r *Result) string {
	parts := []string{plural(int64(r.Connections), "connection")}
	if r.Size > 0 {
		parts = append(parts, formatBytes(float64(r.Size), tableDigits))
	}
	if r.Pipeline > 0 {
		parts = append(parts, fmt.Sprintf("pipeline %d", r.Pipeline))
	}
	if r.TargetRate > 0 {
		parts = append(parts, formatNumber(r.TargetRate, tableDigits)+" /s asked for")
	}
	if r.Processes > 1 {
		parts = append(parts, fmt.Sprintf("%d client processes", r.Processes))
	}
	return strings.Join(append(parts, formatDuration(r.Duration)), ", ")
}

// totals is what happened in all.
func totals(r *Result) [][]string {
	whole := func(n int64) string { return formatNumber(float64(n), tableDigits) }
	rows := [][]string{
		{"messages", whole(r.Count)},
		{"rate", formatNumber(r.Rate, tableDigits) + " /s"},
		{"payload", formatNumber(r.MBPerSecond, tableDigits) + " MB/s"},
	}
	if r.Upgrades > 0 {
		rows = append(rows, []string{"upgrades", whole(r.Upgrades)})
	}
	if r.UpgradesPerSecond > 0 {
		rows = append(rows, []string{"upgrade rate", formatNumber(r.UpgradesPerSecond, tableDigits) + " /s"})
	}
	if r.Sent > 0 {
		late := fmt.Sprintf("%s of %s sent, %s", whole(r.Late), whole(r.Sent), percent(ratio(r.Late, r.Sent)))
		rows = append(rows, []string{"late", late})
	}
	rows = append(rows, []string{"errors", errorsByKind(r)})
	if r.Lost > 0 {
		rows = append(rows, []string{"lost", lost(r)})
	}
	return rows
}

func errorsByKind(r *Result) string {
	if r.Errors == 0 {
		return "none"
	}
	return formatNumber(float64(r.Errors), tableDigits) + ": " + r.ErrorsByKind.list()
}

// list names the kinds that happened and how often.
func (c *Counts) list() string {
	var kinds []string
	for k, n := range c {
		if n > 0 {
			kinds = append(kinds, Kind(k).String()+" "+formatNumber(float64(n), tableDigits))
		}
	}
	return strings.Join(kinds, ", ")
}

func lost(r *Result) string {
	s := plural(r.Lost, "connection")
	if n := len(r.Losses); n > 0 {
		first, last := formatDuration(r.Losses[0].At), formatDuration(r.Losses[n-1].At)
		if first == last {
			s += " at " + first
		} else {
			s += " from " + first + " to " + last
		}
	}
	if int64(len(r.Losses)) < r.Lost {
		s += fmt.Sprintf(" (times of the first %d)", len(r.Losses))
	}
	return s
}

var latencyHeader = []string{"", "mean", "p50", "p90", "p99", "p99.9", "max"}

func latencyRow(l *Latency) []string {
	row := []string{"latency"}
	for _, m := range []Micros{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
		row = append(row, formatMicros(micros(m), tableDigits))
	}
	return row
}

// notes are what to know about the figures.
func notes(r *Result) []string {
	list := slices.Clone(r.Notes)
	add := func(who string, missing []string) {
		for _, m := range missing {
			list = append(list, who+": not read: "+m)
		}
	}
	if r.Server != nil {
		add("server", r.Server.End.Missing)
	}
	if r.Client != nil {
		add("client", r.Client.End.Missing)
	}
	if r.System != nil {
		add("kernel", r.System.End.Missing)
	}
	return list
}

func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return formatNumber(float64(n), tableDigits) + " " + noun
}

func percent(share float64) string {
	return formatDigits(100*share, 2) + " %"
}

func formatDuration(s Seconds) string {
	if d := time.Duration(s); d >= 10*time.Minute {
		return d.Round(time.Second).String()
	}
	return formatDigits(time.Duration(s).Seconds(), tableDigits) + " s"
}
