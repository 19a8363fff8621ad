//go:build linux

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/log"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for anything: it shares the machine
// with other tests.
const patience = time.Minute

// tab is a page in a browser of its own.
type tab struct {
	t      *testing.T
	ctx    context.Context
	alerts chan string // texts of dialogs that are open
	loaded chan string // files that were downloaded, by path

	mu         sync.Mutex
	complaints []string // errors and warnings of the page, violations of its policy
}

// openBrowser starts Chromium and ends it with the test.
func openBrowser(t *testing.T, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("ECHOGATE_TEST_BROWSER") == "required" {
			t.Fatal("chromium is required here")
		}
		t.Skip("no chromium")
	}
	options := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1280, 800),
	}, flags...)
	b := &tab{t: t, alerts: make(chan string, 16), loaded: make(chan string, 16)}
	deadline, cancel := context.WithTimeout(context.Background(), 5*patience)
	allocator, free := chromedp.NewExecAllocator(deadline, options...)
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
	// The browser lives as long as the context that starts it.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	return b
}

// heard takes the browser's events. It is called by the goroutine that reads
// them and must not wait.
func (b *tab) heard(event any) {
	switch e := event.(type) {
	case *cdpage.EventJavascriptDialogOpening:
		b.alerts <- e.Message
	case *runtime.EventExceptionThrown:
		b.complain(e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complain(string(e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complain(e.Entry.Text)
		}
	}
}

func (b *tab) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, text)
}

// complained returns what the page complained of so far and forgets it.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.complaints
	b.complaints = nil
	return all
}

// do runs steps, called what.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v; the page complained: %q", what, err, b.complained())
	}
}

func (b *tab) open(url string) {
	b.t.Helper()
	b.do("opening "+url, chromedp.Navigate(url))
}

// click clicks on the element with that id, as a mouse does.
func (b *tab) click(id string) {
	b.t.Helper()
	b.do("clicking "+id, chromedp.Click(chromedp.CSS("#"+id), chromedp.NodeEnabled))
}

// fill gives a field its value, as typing would.
func (b *tab) fill(id, value string) {
	b.t.Helper()
	b.run(`(() => {
		const field = document.getElementById("` + id + `");
		field.value = ` + quoted(value) + `;
		field.dispatchEvent(new Event("input", {bubbles: true}));
		field.dispatchEvent(new Event("change", {bubbles: true}));
	})()`)
}

// quoted is a text as a script has it.
func quoted(s string) string {
	text, _ := json.Marshal(s) // a string always can be
	return string(text)
}

// choose picks a radio button.
func (b *tab) choose(name, value string) {
	b.t.Helper()
	b.do("choosing "+value, chromedp.Click(chromedp.CSS("input[name="+name+"][value="+value+"]"), chromedp.NodeReady))
}

// run runs a script, whose value does not matter.
func (b *tab) run(script string) {
	b.t.Helper()
	b.do(script, chromedp.Evaluate[chromedp.Void](script+"; undefined"))
}

// valueOf returns what an expression in the page is.
func valueOf[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// text returns what an element says.
func (b *tab) text(id string) string {
	b.t.Helper()
	return valueOf[string](b, `document.getElementById("`+id+`").textContent`)
}

// until waits for an expression in the page to be true.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		b.t.Fatalf("waiting for %s: %v; the page complained: %q", expression, err, b.complained())
	}
}

// wantAlert waits for a dialog, compares its text and accepts it.
func (b *tab) wantAlert(want string) {
	b.t.Helper()
	select {
	case got := <-b.alerts:
		if got != want {
			b.t.Errorf("got alert %q, want %q", got, want)
		}
	case <-time.After(patience):
		b.t.Fatalf("no alert, want %q; the page complained: %q", want, b.complained())
	}
	if _, err := chromedp.Call(b.ctx, cdpage.HandleJavaScriptDialog, cdpage.HandleJavaScriptDialogParams{Accept: true}); err != nil {
		b.t.Fatal(err)
	}
}

// saveDownloads makes the browser keep downloads in a folder of the test.
func (b *tab) saveDownloads() {
	b.t.Helper()
	dir, events := b.t.TempDir(), true
	err := chromedp.ListenBrowser(b.ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadProgress); ok && e.State == browser.DownloadProgressStateCompleted {
			b.loaded <- filepath.Join(dir, e.GUID)
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: dir, EventsEnabled: &events,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// watchShifts has the browser watch whether anything moves that nobody moved.
func (b *tab) watchShifts() {
	b.t.Helper()
	b.run(`window.shift = 0;
		new PerformanceObserver((list) => list.getEntries().forEach((e) => (window.shift += e.value)))
			.observe({type: "layout-shift", buffered: false})`)
}

func (b *tab) wantNoShift() {
	b.t.Helper()
	if shift := valueOf[float64](b, "shift"); shift > 0 {
		b.t.Errorf("the layout shifted by %v", shift)
	}
}

// allowClipboard lets the page read what it has copied.
func (b *tab) allowClipboard() {
	b.t.Helper()
	_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// clipboard is what was copied last.
func (b *tab) clipboard() string {
	b.t.Helper()
	b.run(`navigator.clipboard.readText().then((text) => window.copied = text)`)
	b.until("window.copied !== undefined")
	return valueOf[string](b, "copied")
}

// entry is one of the console's log as its download has it.
type entry struct {
	Number    int
	Time      time.Time
	Direction string
	Kind      string
	Size      int
	Text, Hex string
	Complete  bool
	RoundTrip float64 `json:"roundTripMs"`
	Code      int
	Reason    string
	WasClean  *bool
	Protocol  string

	Extensions string
}

// download downloads the console's log, as a user does.
func (b *tab) download() []entry {
	b.t.Helper()
	b.click("download")
	select {
	case path := <-b.loaded:
		text, err := os.ReadFile(path)
		if err != nil {
			b.t.Fatal(err)
		}
		var all []entry
		if err := json.Unmarshal(text, &all); err != nil {
			b.t.Fatalf("%v in %s", err, text)
		}
		return all
	case <-time.After(patience):
		b.t.Fatal("the log was not downloaded")
		return nil
	}
}

// wantKinds compares the kinds of entries, with their directions.
func wantKinds(t *testing.T, all []entry, want ...string) {
	t.Helper()
	got := make([]string, len(all))
	for i, e := range all {
		got[i] = e.Direction + " " + e.Kind
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got entries %q, want %q", got, want)
	}
}
