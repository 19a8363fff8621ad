package main

import (
	"io"
	"slices"
)

// WriteHTML writes s as one page that needs nothing else.
func (s *Soak) WriteHTML(w io.Writer) error {
	return reportPage.Execute(w, page{
		Title:      "soak " + s.Command,
		Asked:      s.asked(),
		Started:    s.Started.Format("2006-01-02 15:04:05 MST"),
		Bottleneck: s.Bystanders.Bottleneck,
		Tiles:      s.tiles(),
		Plots:      append(s.figures(), figures(s.Bystanders)...),
		Sections:   s.sections(),
		Notes:      s.notes(),
		Version:    s.Version,
	})
}

// tiles are the growth of each figure over the load, and what clients noticed.
func (s *Soak) tiles() []tile {
	var list []tile
	for i := range s.Figures {
		f := &s.Figures[i]
		list = append(list, tile{Name: f.Name + ", last third", Value: f.format(f.Last), Bad: !f.Held})
	}
	for _, c := range s.Checks {
		if c.Bound != "" {
			list = append(list, tile{Name: c.Name, Value: c.Text, Bad: !c.Held})
		}
	}
	return list
}

// figures are what the server held over time; before the load and after it too.
func (s *Soak) figures() []figure {
	var list []figure
	for _, f := range []struct {
		title, text, first, second string
		values                     [2]string // names of flatBounds
		unit                       float64
	}{
		{"Memory of the server over time", "MiB", "RSS", "Go heap", [2]string{"RSS", "Go heap"}, 1 << 20},
		{"Descriptors of the server over time", "", "descriptors", "sockets", [2]string{"descriptors", "sockets"}, 1},
		{"Threads of the server over time", "", "threads", "goroutines", [2]string{"threads", "goroutines"}, 1},
	} {
		var times []Seconds
		for i := range s.Samples {
			times = append(times, s.Samples[i].Since)
		}
		lines := [][]float64{s.line(f.values[0], f.unit)}
		if second := s.line(f.values[1], f.unit); slices.Max(second) > 0 {
			lines = append(lines, second)
		} else {
			f.second = ""
		}
		list = append(list, figure{Title: f.title, Text: f.text, First: f.first, Second: f.second, SVG: linePlot(f.title, times, fromZero, lines...)})
	}
	return list
}

// line is a figure at all samples.
func (s *Soak) line(name string, unit float64) (values []float64) {
	b := &flatBounds[slices.IndexFunc(flatBounds, func(b flatBound) bool { return b.name == name })]
	for i := range s.Samples {
		values = append(values, b.value(&s.Samples[i])/unit)
	}
	return values
}
