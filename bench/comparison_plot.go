package main

import (
	"errors"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette are the colours of the candidates, told apart also by who does not see
// all of them (Okabe and Ito 2008); glyphs are their marks.
var (
	palette = []color.Color{
		color.NRGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, color.NRGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
		color.NRGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, color.NRGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
		color.NRGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, color.NRGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
		color.NRGBA{R: 0x55, G: 0x55, B: 0x55, A: 0xff}, color.NRGBA{R: 0x99, G: 0x44, B: 0x22, A: 0xff},
	}
	glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.BoxGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}}
)

var errNothingToPlot = errors.New("--plot: no figure was measured that the base and another server have")

// WritePlot draws c as an SVG file: for each candidate a line over the cells, the
// ratio of its median to the base's, of the first figure that the table has.
func (c *Comparison) WritePlot(w io.Writer) error {
	for _, figure := range compared {
		lines, some := make(map[string]plotter.XYs), false
		for i, cell := range c.Cells {
			base, ok := median(cell.Runs[c.Base], figure.value)
			if !ok || base <= 0 {
				continue
			}
			for _, name := range c.Candidates {
				if v, ok := median(cell.Runs[name], figure.value); ok && v > 0 && name != c.Base {
					lines[name] = append(lines[name], plotter.XY{X: float64(i), Y: v / base})
					some = true
				}
			}
		}
		if some {
			return c.draw(w, figure.title, lines)
		}
	}
	return errNothingToPlot
}

// draw draws the lines, and beside them what each is.
func (c *Comparison) draw(w io.Writer, title string, lines map[string]plotter.XYs) error {
	p, legend := plot.New(), plot.NewLegend()
	p.Title.Text = title + ", ratio to " + c.Base
	p.Title.Padding = vg.Points(8)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, ratioTicks{}
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	p.Add(grid)
	legend.Top, legend.Left, legend.Padding = true, true, vg.Points(4)
	legend.TextStyle.Font.Size = font.Points(10)
	k := 0
	for _, name := range c.Candidates {
		if lines[name] == nil {
			continue
		}
		look := draw.GlyphStyle{Color: palette[k%len(palette)], Radius: vg.Points(3), Shape: glyphs[k%len(glyphs)]}
		line := &plotter.Line{XYs: lines[name], LineStyle: draw.LineStyle{Color: look.Color, Width: vg.Points(1.2)}}
		dots := &plotter.Scatter{XYs: lines[name], GlyphStyle: look}
		p.Add(line, dots)
		legend.Add(name, line, dots)
		k++
	}
	p.Y.Min, p.Y.Max = min(p.Y.Min, 1), max(p.Y.Max, 1) // the base
	p.X.Tick.Marker = c.cellTicks()
	p.X.Min, p.X.Max = -0.3, float64(len(c.Cells))-0.7
	// They begin at their tick: where the reader's font is wider they reach no line.
	p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = -math.Pi/5, draw.XLeft, draw.YTop
	canvas := vgsvg.New(11*vg.Inch, 5.5*vg.Inch)
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	p.Draw(draw.Crop(page, vg.Points(40), -vg.Inch, vg.Points(8), -vg.Points(8)))
	legend.Draw(draw.Crop(page, 10.1*vg.Inch, 0, vg.Points(8), -vg.Points(30)))
	_, err := canvas.WriteTo(w)
	return err
}

// cellTicks are the names of the cells, below their dots.
func (c *Comparison) cellTicks() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i, cell := range c.Cells {
		_, load, _ := strings.Cut(cell.Name, ", ") // all are of one mode
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: load})
	}
	return ticks
}

// ratioTicks are 0.5, 1, 2, 5, 10 … on an axis of ratios.
type ratioTicks struct{}

// Ticks implements plot.Ticker.
func (ratioTicks) Ticks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= lo*0.999 && v <= hi*1.001 {
				ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 3, 64) + "×"})
			}
		}
	}
	return ticks
}
