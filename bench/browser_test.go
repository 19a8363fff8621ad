package main

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for all its work here: it shares the
// machine with other tests.
const patience = 3 * time.Minute

// tab is a page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // errors and warnings of the page
	requests   []string // what the page asked for
}

// openBrowser starts Chromium and ends it with the test.
func openBrowser(t *testing.T) *tab {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("ECHOGATE_TEST_BROWSER") == "required" {
			t.Fatal("chromium is required here")
		}
		t.Skip("no chromium")
	}
	b := &tab{t: t}
	deadline, cancel := context.WithTimeout(context.Background(), patience)
	allocator, free := chromedp.NewExecAllocator(deadline,
		chromedp.ExecPath(chromium),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1200, 900),
	)
	ctx, end := chromedp.NewContext(allocator, chromedp.WithListener(b.heard))
	b.ctx = ctx
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("closing the browser: %v", err)
		}
		end()
		free()
		cancel()
	})
	return b
}

// heard takes the browser's events, on a goroutine of its own.
func (b *tab) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// value is what an expression in the page is.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// theme makes the page believe that the reader prefers light or dark.
func (b *tab) theme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// keepScreenshot leaves a picture for a person to look at, if asked to.
func (b *tab) keepScreenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("ECHOGATE_TEST_ARTEFACTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// drawn is a plot as the browser shows it.
type drawn struct {
	Name          string
	Width, Height float64
	Lines         []struct {
		Stroke        string
		Width, Height float64
	}
	Overlaps []string // labels that lie on each other
}

const drawnPlots = `[...document.querySelectorAll("svg")].map((svg) => {
	const box = (e) => e.getBoundingClientRect();
	const texts = [...svg.querySelectorAll("text")];
	return {
		Name: svg.getAttribute("aria-label"), Width: box(svg).width, Height: box(svg).height,
		Lines: [...svg.querySelectorAll("path")].map((p) => ({
			Stroke: getComputedStyle(p).stroke, Width: box(p).width, Height: box(p).height,
		})),
		Overlaps: texts.flatMap((a, i) => texts.slice(i + 1)
			.filter((b) => box(a).left < box(b).right && box(b).left < box(a).right && box(a).top + 2 < box(b).bottom && box(b).top + 2 < box(a).bottom)
			.map((b) => a.textContent + " | " + b.textContent)),
	};
})`

// colorOf is what a variable of the style sheet comes to.
func colorOf(b *tab, variable string) string {
	b.t.Helper()
	return value[string](b, `(() => {
		const probe = document.body.appendChild(document.createElement("i"));
		probe.style.color = "var(`+variable+`)";
		const color = getComputedStyle(probe).color;
		probe.remove();
		return color;
	})()`)
}

// TestHTMLInABrowser looks at the page as its reader does, in both themes: the
// plots have their lines, as wide as the run and in the colours of the theme.
func TestHTMLInABrowser(t *testing.T) {
	b := openBrowser(t)
	for name, r := range results() {
		path := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(path, []byte(pageOf(t, r)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(b.ctx, chromedp.Navigate("file://"+path)); err != nil {
			t.Fatal(err)
		}
		colors := make(map[string]bool)
		for _, theme := range []string{"light", "dark"} {
			b.theme(theme)
			first := colorOf(b, "--first")
			colors[first] = true
			wantPlots(t, name+", "+theme, value[[]drawn](b, drawnPlots), figures(r), first)
			b.keepScreenshot("bench-" + name + "-" + theme)
		}
		if len(colors) != 2 {
			t.Errorf("%s: the colours of light and dark are %v, want two", name, colors)
		}
		if wide := value[float64](b, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
			t.Errorf("%s: the page is %v pixels wider than its window", name, wide)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) != 0 {
		t.Errorf("the page complains: %q", b.complaints)
	}
	if len(b.requests) < len(results()) {
		t.Errorf("only %q was heard of, want every page at least", b.requests)
	}
	for _, url := range b.requests {
		if !strings.HasPrefix(url, "file://") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asked for %s", url)
		}
	}
}

func wantPlots(t *testing.T, name string, got []drawn, want []figure, color string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d plots, want %d", name, len(got), len(want))
		return
	}
	for i, p := range got {
		if p.Name != want[i].Title || p.Width < 800 || math.Abs(p.Width/p.Height-float64(plotWidth/plotHeight)) > 0.01 {
			t.Errorf("%s: plot %q of %v × %v, want %q as wide as the page", name, p.Name, p.Width, p.Height, want[i].Title)
		}
		lines := 0
		for _, l := range p.Lines {
			if l.Stroke == color && l.Width > p.Width/3 {
				lines++
			}
		}
		if lines != 1 {
			t.Errorf("%s: plot %q has %d lines of the colour %s, want 1: %v", name, p.Name, lines, color, p.Lines)
		}
		if len(p.Overlaps) != 0 {
			t.Errorf("%s: plot %q has labels on each other: %q", name, p.Name, p.Overlaps)
		}
	}
}
