package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"
)

//go:embed report.html
var reportHTML string

var reportPage = template.Must(template.New("report").Parse(reportHTML))

// page is what report.html shows.
type page struct {
	Title      string
	Asked      string // what was asked for
	Started    string
	Bottleneck string
	Tiles      []tile
	Plots      []figure
	Sections   []section
	Notes      []string
	Version    int
}

// tile is a figure in large print.
type tile struct {
	Name, Value string
	Bad         bool
}

// figure is a plot and its legend; without names it has one line.
type figure struct {
	Title, Text   string
	First, Second string // the names of its lines
	SVG           template.HTML
}

// section is a table; of a row the first cell is its name.
type section struct {
	Title  string
	Header []string
	Rows   [][]string
}

// WriteHTML writes r as one page that needs nothing else: no network, no
// script.
func WriteHTML(w io.Writer, r *Result) error {
	return reportPage.Execute(w, page{
		Title:      r.Mode + " " + r.URL,
		Asked:      asked(r),
		Started:    r.Started.Format("2006-01-02 15:04:05 MST"),
		Bottleneck: r.Bottleneck,
		Tiles:      tiles(r),
		Plots:      figures(r),
		Sections:   sections(r),
		Notes:      notes(r),
		Version:    r.Version,
	})
}

func tiles(r *Result) []tile {
	list := []tile{{Name: "messages per second", Value: formatNumber(r.Rate, tableDigits)}}
	if r.UpgradesPerSecond > 0 {
		list = append(list, tile{Name: "connections per second", Value: formatNumber(r.UpgradesPerSecond, tableDigits)})
	}
	if l := &r.Latency; l.Count > 0 {
		for _, q := range []struct {
			name  string
			value Micros
		}{{"p50", l.P50}, {"p99", l.P99}, {"p99.9", l.P999}, {"max", l.Max}} {
			list = append(list, tile{Name: q.name, Value: formatMicros(micros(q.value), tableDigits)})
		}
	}
	if s := r.Server; s != nil {
		if s.CPUPerMessage > 0 {
			list = append(list, tile{Name: "CPU per message", Value: formatMicros(s.CPUPerMessage, tableDigits)})
		}
		list = append(list, tile{Name: "server memory", Value: bytesOf(s.End.RSS)})
	}
	return append(list,
		tile{Name: "errors", Value: formatNumber(float64(r.Errors), tableDigits), Bad: r.Errors > 0},
		tile{Name: "connections lost", Value: formatNumber(float64(r.Lost), tableDigits), Bad: r.Lost > 0})
}

// figures are the plots that r has something to draw for.
func figures(r *Result) []figure {
	var list []figure
	if r.Latency.Count > 0 {
		list = append(list, figure{
			Title: "Latency by percentile",
			Text:  "each step to the right leaves a tenth of the messages",
			SVG:   percentilePlot(r.Percentiles),
		})
	}
	moments := thin(r.Series)
	if len(moments) < 2 { // one moment is no course of time
		return list
	}
	over := func(title, text string, moments []Moment, value func(*Moment) float64) {
		list = append(list, figure{Title: title, Text: text, SVG: timePlot(title, moments, fromZero, value)})
	}
	if r.Latency.Count > 0 {
		if measured := keep(moments, func(m Moment) bool { return m.P99 > 0 }); len(measured) > 0 {
			list = append(list, figure{
				Title: "Latency over time", First: "p50", Second: "p99",
				SVG: timePlot("Latency over time", measured, logAxis,
					func(m *Moment) float64 { return logMicros(m.P50) }, func(m *Moment) float64 { return logMicros(m.P99) }),
			})
		}
		over("Rate over time", "messages per second", moments, func(m *Moment) float64 { return m.Rate })
	}
	if r.UpgradesPerSecond > 0 {
		over("Connections opened over time", "per second", moments, func(m *Moment) float64 { return perSecond(m.Upgrades, m.Length) })
	}
	if changes(moments) {
		over("Open connections over time", "", moments, func(m *Moment) float64 { return float64(m.Connections) })
	}
	if known := keep(moments, func(m Moment) bool { return m.ServerRSS > 0 }); len(known) > 0 {
		over("Server memory over time", "MiB resident", known, func(m *Moment) float64 { return float64(m.ServerRSS) / (1 << 20) })
	}
	if slices.ContainsFunc(moments, func(m Moment) bool { return m.Errors > 0 }) {
		over("Errors over time", "per second", moments, func(m *Moment) float64 { return perSecond(m.Errors, m.Length) })
	}
	return list
}

// changes tells whether connections came and went so that it can be seen; the
// few that were lost stand in a table.
func changes(moments []Moment) bool {
	lo, hi := moments[0].Connections, 0
	for _, m := range moments {
		lo, hi = min(lo, m.Connections), max(hi, m.Connections)
	}
	return hi-lo > hi/50
}

// keep is the moments that f holds for.
func keep(moments []Moment, f func(Moment) bool) []Moment {
	return slices.DeleteFunc(slices.Clone(moments), func(m Moment) bool { return !f(m) })
}

// maxDrawn is how many moments are drawn: more than a plot has columns of
// pixels would only make the file large.
const maxDrawn = 1200

// thin joins neighbours until at most maxDrawn moments are left. Of rates it
// keeps the mean, of latencies the worst. A remainder at the end, as Ctrl-C
// leaves it, is left out: its rate is that of a few messages.
func thin(series []Moment) []Moment {
	if n := len(series); n > 1 && series[n-1].Length < series[n-2].Length/2 {
		series = series[:n-1]
	}
	step := (len(series) + maxDrawn - 1) / maxDrawn
	var list []Moment
	for begin := 0; begin < len(series); begin += step {
		list = append(list, join(series[begin:min(begin+step, len(series))]))
	}
	return list
}

func join(moments []Moment) Moment {
	sum := moments[len(moments)-1] // At, Connections, ServerRSS: at the end
	var messages float64
	sum.Length, sum.Errors, sum.Upgrades = 0, 0, 0
	for _, m := range moments {
		sum.Length += m.Length
		sum.Errors += m.Errors
		sum.Upgrades += m.Upgrades
		sum.P50, sum.P99 = max(sum.P50, m.P50), max(sum.P99, m.P99)
		messages += m.Rate * time.Duration(m.Length).Seconds()
	}
	if sum.Length > 0 {
		sum.Rate = messages / time.Duration(sum.Length).Seconds()
	}
	return sum
}

// maxListed is how many losses the page lists; the JSON has more.
const maxListed = 20

func sections(r *Result) []section {
	list := []section{{Title: "Totals", Rows: totals(r)}}
	if r.Latency.Count > 0 {
		list = append(list, section{Title: "Latency", Header: latencyHeader, Rows: [][]string{latencyRow(&r.Latency)}})
	}
	if header, rows := processFigures(r); len(rows) > 0 {
		list = append(list, section{Title: "Processes", Header: header, Rows: rows})
	}
	if len(r.Losses) > 0 {
		s := section{Title: "Connections lost", Header: []string{"", "connection", "worker", "reason"}}
		for _, l := range r.Losses[:min(len(r.Losses), maxListed)] {
			s.Rows = append(s.Rows, []string{"after " + formatDuration(l.At), fmt.Sprint(l.Connection), fmt.Sprint(l.Worker), l.Kind.String()})
		}
		if more := r.Lost - int64(len(s.Rows)); more > 0 {
			s.Rows = append(s.Rows, []string{fmt.Sprintf("and %s more", formatNumber(float64(more), tableDigits))})
		}
		list = append(list, s)
	}
	return list
}
