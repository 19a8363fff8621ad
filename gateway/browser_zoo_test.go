//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// visitWithChromium has the zoo's own page visit all animals.
func visitWithChromium(t *testing.T, host string) map[string]visited {
	b := openBrowser(t)
	b.open("http://" + host + "/zoo")
	b.watchShifts()
	b.click("visit")
	b.untilWithin(4*time.Minute, `[...document.querySelectorAll("tr[data-animal]")].every((row) => row.dataset.did)`)
	b.wantNoShift()
	b.forgive()
	return valueOf[map[string]visited](b, `Object.fromEntries([...document.querySelectorAll("tr[data-animal]")].map((row) => [row.dataset.animal, JSON.parse(row.dataset.did)]))`)
}

// untilWithin is until with a deadline of its own.
func (b *tab) untilWithin(d time.Duration, expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(d), chromedp.WithPollingInterval(100*time.Millisecond)))
	if err != nil {
		b.t.Fatalf("waiting for %s: %v; the page complained: %q", expression, err, b.complained())
	}
}
