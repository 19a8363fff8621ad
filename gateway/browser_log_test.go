//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The log can be filtered, read by keyboard, seen as bytes, and cleared.
func TestConsoleLog(t *testing.T) {
	b := openConsole(t)
	b.click("open")
	b.waitState("OPEN")
	b.fill("text", "Ünïcode")
	b.do("typing", chromedp.Focus(chromedp.CSS("#text")), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(kb.ModifierCtrl)))
	b.waitReceived("1")
	b.fill("only", "received")
	b.fill("filter", "ünï")
	b.until(`document.getElementById("shown").textContent === "1 entry"`)
	b.do("selecting", chromedp.Focus(chromedp.CSS("#log")), chromedp.KeyEvent(kb.ArrowDown))
	b.until(`document.querySelector("#rows [aria-selected=true]")?.id === document.getElementById("log").getAttribute("aria-activedescendant")`)
	if got := b.text("detail-body"); got != "Ünïcode" {
		t.Errorf("got %q in the detail", got)
	}
	b.choose("view", "hex")
	b.until(`document.getElementById("detail-body").textContent === "0000  c3 9c 6e c3 af 63 6f 64 65  ··n··code"`)
	b.do("closing the detail", chromedp.Focus(chromedp.CSS("#log")), chromedp.KeyEvent(kb.Escape))
	b.until(`document.getElementById("detail").hidden`)
	b.fill("filter", "no such thing")
	b.until(`document.getElementById("empty").textContent.includes("filter") && !document.getElementById("empty").hidden`)
	b.fill("filter", "")
	b.fill("only", "")
	b.until(`document.getElementById("shown").textContent === "3 entries"`)
	b.click("clear")
	b.until(`document.getElementById("shown").textContent === "0 entries"`)
}

// The newest entry stays in view until the reader scrolls up, or selects one.
func TestConsoleFollows(t *testing.T) {
	b := openConsole(t)
	following := func(want string) {
		t.Helper()
		b.until(`document.getElementById("follow").getAttribute("aria-pressed") === "` + want + `"`)
	}
	b.click("open")
	b.waitState("OPEN")
	b.fill("count", "100")
	b.fill("every", "0")
	b.click("submit")
	b.waitReceived("100")
	following("true")
	b.run(`document.getElementById("log").scrollTop -= 200`)
	following("false")
	top := valueOf[float64](b, `document.getElementById("log").scrollTop`)
	b.click("submit")
	b.waitReceived("200")
	if got := valueOf[float64](b, `document.getElementById("log").scrollTop`); got != top {
		t.Errorf("the log moved from %v to %v under the reader", top, got)
	}
	b.click("follow")
	following("true")
	b.until(`(() => { const log = document.getElementById("log"); return log.scrollHeight - log.scrollTop - log.clientHeight < 1; })()`)
	b.do("selecting the first", chromedp.Focus(chromedp.CSS("#log")), chromedp.KeyEvent(kb.Home))
	following("false")
	b.until(`document.getElementById("detail-title").textContent.startsWith("event · open")`)
}

// More than the log holds: the oldest entries go, no message is lost.
func TestConsoleLogIsBounded(t *testing.T) {
	b := openConsole(t)
	b.click("open")
	b.waitState("OPEN")
	b.fill("text", "{n}")
	b.fill("count", "11000")
	b.fill("every", "0")
	b.click("submit")
	b.waitReceived("11,000")
	all := b.download()
	if n := len(all); n < 20000 || n > 21000 {
		t.Errorf("the log holds %d entries", n)
	}
	for i, e := range all {
		if e.Number != 22001-len(all)+1+i {
			t.Fatalf("entry %d of %d has number %d", i, len(all), e.Number)
		}
	}
	if !slices.ContainsFunc(all, func(e entry) bool { return e.Direction == "received" && e.Text == "11000" }) {
		t.Error("the newest message is not in the log")
	}
}

// What is copied is on the clipboard as lines of text.
func TestConsoleCopy(t *testing.T) {
	b := openConsole(t)
	b.allowClipboard()
	b.click("open")
	b.waitState("OPEN")
	b.click("submit")
	b.waitReceived("1")
	b.click("copy")
	b.until(`document.getElementById("copy").textContent === "Copied"`)
	lines := strings.Split(strings.TrimSpace(b.clipboard()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], "↑  text  17 B  This is a message") || !strings.Contains(lines[2], " ms  This is") {
		t.Errorf("got lines %q", lines)
	}
}
