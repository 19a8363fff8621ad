package main

import (
	"fmt"
	"io"
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

// WriteReport writes r for people. When the client was the bottleneck the
// first line says so: whoever reads no further must not take its figures for
// the server's.
func WriteReport(w io.Writer, r *Result) error {
	var b strings.Builder
	if r.Bottleneck != "" {
		fmt.Fprintf(&b, "THE CLIENT WAS THE BOTTLENECK: %s. The figures are the client's, not the server's.\n\n", r.Bottleneck)
	}
	fmt.Fprintf(&b, "%s\n\n%s\n", headline(r), totals(r))
	if r.Latency.Count > 0 {
		fmt.Fprintf(&b, "\n%s\n", latencies(&r.Latency))
	}
	if figures := processFigures(r); figures != "" {
		fmt.Fprintf(&b, "\n%s\n", figures)
	}
	for _, note := range notes(r) {
		fmt.Fprintf(&b, "\nnote: %s", note)
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

// headline is what was asked for.
func headline(r *Result) string {
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
	parts = append(parts, formatDuration(r.Duration))
	return fmt.Sprintf("%s %s: %s", r.Mode, r.URL, strings.Join(parts, ", "))
}

// totals is what happened in all.
func totals(r *Result) string {
	t := newTable(2)
	t.Style().Box.PaddingRight = "  "
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, WidthMin: nameWidth}})
	row := func(name, format string, args ...any) { t.AppendRow(table.Row{name, fmt.Sprintf(format, args...)}) }
	row("messages", "%s", formatNumber(float64(r.Count), tableDigits))
	row("rate", "%s /s", formatNumber(r.Rate, tableDigits))
	row("payload", "%s MB/s", formatNumber(r.MBPerSecond, tableDigits))
	if r.Upgrades > 0 {
		row("upgrades", "%s", formatNumber(float64(r.Upgrades), tableDigits))
	}
	if r.UpgradesPerSecond > 0 {
		row("upgrade rate", "%s /s", formatNumber(r.UpgradesPerSecond, tableDigits))
	}
	if r.Sent > 0 {
		row("late", "%s of %s sent, %s", formatNumber(float64(r.Late), tableDigits), formatNumber(float64(r.Sent), tableDigits), percent(ratio(r.Late, r.Sent)))
	}
	row("errors", "%s", errorsByKind(r))
	if r.Lost > 0 {
		row("lost", "%s", lost(r))
	}
	return t.Render()
}

// nameWidth is that of the first column, the same in all tables of a report.
const nameWidth = 26

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

func latencies(l *Latency) string {
	t := newTable(7)
	t.AppendHeader(table.Row{"", "mean", "p50", "p90", "p99", "p99.9", "max"})
	row := table.Row{text.Pad("latency", nameWidth, ' ')}
	for _, m := range []Micros{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
		row = append(row, formatMicros(float64(m)/float64(time.Microsecond), tableDigits))
	}
	t.AppendRow(row)
	return t.Render()
}

// notes are what to know about the figures.
func notes(r *Result) []string {
	list := r.Notes
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
	return formatDigits(time.Duration(s).Seconds(), tableDigits) + " s"
}
