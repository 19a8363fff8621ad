//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// visitWithChromium has the zoo's own page visit all animals.
func visitWithChromium(t *testing.T, host string) map[string]visited {
	b := openBrowser(t)
	b.open("http://" + host + "/zoo")
	b.click("visit")
	b.untilWithin(4*time.Minute, `[...document.querySelectorAll("tr[data-animal]")].every((row) => row.dataset.did)`)
	for _, text := range b.complained() { // the browser's own line about a failure
		if !strings.Contains(text, "WebSocket connection to") {
			t.Errorf("the page complained: %s", text)
		}
	}
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
