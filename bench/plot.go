package main

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a plot. A page scales it to its width.
const (
	plotWidth  = 9.2 * vg.Inch
	plotHeight = 3.1 * vg.Inch
)

// The colours of a plot are placeholders: drawSVG turns each into a variable
// of the page's style sheet, so that a plot follows the page into the dark.
var (
	inkColor    = color.NRGBA{R: 1, A: 255}
	mutedColor  = color.NRGBA{R: 2, A: 255}
	gridColor   = color.NRGBA{R: 3, A: 255}
	firstColor  = color.NRGBA{R: 4, A: 255}
	secondColor = color.NRGBA{R: 5, A: 255}

	colorVariables = strings.NewReplacer(
		"#010000", "var(--ink)", "#020000", "var(--muted)", "#030000", "var(--grid)",
		"#040000", "var(--first)", "#050000", "var(--second)",
	)
)

// newPlot makes an empty plot with horizontal lines at its ticks and no box.
// What its lines are stands beside its title, on the page.
func newPlot(x string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	p.X.Label.Text = x
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.Label.TextStyle.Color = mutedColor
		a.Label.TextStyle.Font.Size = font.Points(10)
		a.Tick.Label.Color = inkColor
		a.Tick.Label.Font.Size = font.Points(9.5)
		a.Color, a.Tick.Color = gridColor, gridColor
	}
	p.X.Label.Padding = vg.Points(3)
	// Ticks that nobody sees keep the labels off the lines where the reader's
	// font is wider than the one that they were measured in.
	p.Y.LineStyle.Width, p.Y.Tick.Color, p.Y.Tick.Length = 0, color.Transparent, vg.Points(9)
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: gridColor, Width: vg.Points(0.6)}
	p.Add(grid)
	return p
}

// addLine draws points, and the single one of a short run as a dot.
func addLine(p *plot.Plot, points plotter.XYs, c color.Color) {
	if len(points) == 1 {
		p.Add(&plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}})
		return
	}
	p.Add(&plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(1.6)}})
}

// drawSVG draws p as an element of a page, with a name for who cannot see it.
func drawSVG(p *plot.Plot, name string) template.HTML {
	canvas := vgsvg.New(plotWidth, plotHeight)
	// Half of the last label stands to the right of the axis.
	p.Draw(draw.Crop(draw.New(canvas), 0, -vg.Points(14), 0, 0))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic("bench: internal error: " + err.Error()) // a buffer takes everything
	}
	// Inside a page there is neither an XML declaration nor a size of its own.
	svg := b.String()
	svg = svg[strings.Index(svg, "viewBox="):]
	svg = `<svg role="img" aria-label="` + template.HTMLEscapeString(name) + `" ` + svg
	return template.HTML(colorVariables.Replace(svg))
}

// percentilePlot is the latency by percentile. Every nine more is one step to
// the right: the tail, which people feel, gets as much room as the middle.
func percentilePlot(points []Point) template.HTML {
	var line plotter.XYs
	for _, pt := range points {
		// Of 100 % only the one slowest message is left: it is where the last
		// of Count stands.
		left := max(1-pt.Percentile/100, 1/float64(max(pt.Count, 2)))
		line = append(line, plotter.XY{X: -math.Log10(left), Y: logMicros(pt.Latency)})
	}
	p := newPlot("percentile")
	addLine(p, line, firstColor)
	p.X.Min = 0
	p.X.Tick.Marker = nines(p.X.Max)
	logAxis(&p.Y)
	return drawSVG(p, "Latency by percentile")
}

// nines are the ticks 0 %, 90 %, 99 % … up to end.
func nines(end float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for n := 0; float64(n) <= end; n++ {
		label := fmt.Sprintf("%.*f %%", max(n-2, 0), 100-100*math.Pow10(-n))
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: label})
	}
	return ticks
}

// logMicros is m in microseconds for an axis that has no 0: at least 1 ns.
func logMicros(m Micros) float64 { return micros(max(m, 1)) }

// logAxis makes a an axis of logMicros whose steps are 1, 2, 5, 10, and
// which ends at such steps, so that it has two labels at least.
func logAxis(a *plot.Axis) {
	lo, hi := a.Min, a.Max
	var steps []float64
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi))+1; e++ {
		for _, m := range []float64{1, 2, 5} {
			steps = append(steps, m*math.Pow(10, e))
		}
	}
	var ticks plot.ConstantTicks
	for i, s := range steps {
		if i+1 < len(steps) && steps[i+1] <= lo {
			continue // the next one is below the data too
		}
		ticks = append(ticks, plot.Tick{Value: s, Label: formatMicros(s, 1)})
		if s > hi {
			break
		}
	}
	a.Min, a.Max = ticks[0].Value, ticks[len(ticks)-1].Value
	a.Scale, a.Tick.Marker = plot.LogScale{}, ticks
}

// timePlot draws lines over the time of the run, in the order of firstColor,
// secondColor.
func timePlot(name string, moments []Moment, axis func(*plot.Axis), values ...func(*Moment) float64) template.HTML {
	times, lines := make([]Seconds, len(moments)), make([][]float64, len(values))
	for j := range moments {
		times[j] = moments[j].At
		for i, value := range values {
			lines[i] = append(lines[i], value(&moments[j]))
		}
	}
	return linePlot(name, times, axis, lines...)
}

// linePlot draws what there was at times, a line for each list of values.
func linePlot(name string, times []Seconds, axis func(*plot.Axis), values ...[]float64) template.HTML {
	unit, unitName := timeUnit(times[len(times)-1])
	p := newPlot("time in " + unitName)
	for i, list := range values {
		var line plotter.XYs
		for j, v := range list {
			line = append(line, plotter.XY{X: float64(times[j]) / float64(unit), Y: v})
		}
		addLine(p, line, []color.Color{firstColor, secondColor}[i])
	}
	p.X.Min = 0
	p.X.Tick.Marker = steps(p.X.Max, 8)
	axis(&p.Y)
	return drawSVG(p, name)
}

// timeUnit is what a run that ends then is told in.
func timeUnit(at Seconds) (time.Duration, string) {
	end := time.Duration(at)
	switch {
	case end > 5*time.Hour:
		return time.Hour, "hours"
	case end > 5*time.Minute:
		return time.Minute, "minutes"
	}
	return time.Second, "seconds"
}

// fromZero makes a an axis of numbers that begins at 0: what looks like half
// is half.
func fromZero(a *plot.Axis) {
	a.Min, a.Max = 0, max(a.Max*1.05, 1)
	a.Tick.Marker = steps(a.Max, 5)
}

// steps are ticks from 0 to end, n at most beside the one at 0, at multiples
// of 1, 2 or 5 and a power of ten.
func steps(end float64, n int) plot.ConstantTicks {
	power := math.Pow(10, math.Floor(math.Log10(end/float64(n))))
	step := 10 * power
	for _, m := range []float64{5, 2, 1} {
		if end/(m*power) <= float64(n) {
			step = m * power
		}
	}
	var ticks plot.ConstantTicks
	for i := 0; float64(i)*step <= end; i++ {
		v := float64(i) * step
		label := formatNumber(v, 2)
		if v < 1 && i > 0 {
			label = strconv.FormatFloat(v, 'g', 1, 64) // 3 × 0.2 is not quite 0.6
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}

func micros(m Micros) float64 { return float64(m) / float64(time.Microsecond) }
