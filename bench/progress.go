package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Goal is when a run is over; a zero field is no goal.
type Goal struct {
	Duration time.Duration
	Messages int64
}

// share is how much of the way to g is done, from 0 to 1.
func (g Goal) share(l Live) float64 {
	var done float64
	if g.Duration > 0 {
		done = float64(l.Measured) / float64(g.Duration)
	}
	if g.Messages > 0 {
		done = max(done, float64(l.Count)/float64(g.Messages))
	}
	return min(done, 1)
}

// Progress shows how a run goes: a bar on a terminal, a line a second
// elsewhere, as in the log of a CI job. It belongs to one goroutine.
type Progress struct {
	goal Goal
	w    io.Writer
	bar  *progressbar.ProgressBar // nil: lines
	last time.Duration            // Elapsed of the last line
}

// barSteps is the resolution of the bar.
const barSteps = 1000

// NewProgress makes the Progress of a run on f, which is os.Stderr: standard
// output is the report's.
func NewProgress(f *os.File, goal Goal) *Progress {
	p := &Progress{goal: goal, w: f}
	if term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.bar = progressbar.NewOptions(barSteps,
			progressbar.OptionSetWriter(f),
			progressbar.OptionUseANSICodes(true),
			progressbar.OptionSetWidth(20),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false),
		)
	}
	return p
}

// Show shows l. It may be called as often as there is news.
func (p *Progress) Show(l Live) {
	if p.bar != nil {
		p.bar.Describe(l.String())
		// The last step would end the bar, and a run may take longer than asked.
		p.bar.Set(min(int(p.goal.share(l)*barSteps), barSteps-1))
		return
	}
	if l.Elapsed < p.last+time.Second/2 {
		return // intervals are seconds, a little more or less
	}
	p.last = l.Elapsed
	fmt.Fprintf(p.w, "%4.0f s  %s\n", l.Elapsed.Seconds(), l)
}

// Stop takes the bar away, so that the report begins on a clean line. What is
// shown after it is lost.
func (p *Progress) Stop() {
	if p.bar != nil {
		p.bar.Clear()
		p.bar = nil
	}
	p.w = io.Discard
}

// String is the line that Progress shows.
func (l Live) String() string {
	if l.Measured == 0 {
		return fmt.Sprintf("opening  %s  %s", plural(int64(l.Connections), "connection"), plural(l.Errors, "error"))
	}
	return fmt.Sprintf("%s /s  p99 %s  %s  %s",
		formatNumber(l.Rate, tableDigits), formatMicros(micros(l.P99), tableDigits),
		plural(int64(l.Connections), "connection"), plural(l.Errors, "error"))
}
