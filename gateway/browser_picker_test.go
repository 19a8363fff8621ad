//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// openPicker opens the console and its picker.
func openPicker(t *testing.T) *tab {
	t.Helper()
	b := openConsole(t)
	b.do("opening the picker", chromedp.Click(chromedp.CSS("#picker summary")))
	b.until(`document.getElementById("route").value === "/echo"`)
	return b
}

// wantURL waits for the URL of the picker.
func (b *tab) wantURL(path string) {
	b.t.Helper()
	b.until(`document.getElementById("url").value === location.origin.replace("http", "ws") + ` + quoted(path))
}

// The picker makes the URL that its fields say, and that URL is what the console
// connects to.
func TestPickerURL(t *testing.T) {
	b := openPicker(t)
	routes := valueOf[[]string](b, `[...document.getElementById("route").options].map((o) => o.value)`)
	if !slices.Contains(routes, "/slow") || slices.Contains(routes, "/routes") {
		t.Errorf("got routes %q", routes)
	}
	b.fill("route", "/close")
	b.wantURL("/close")
	b.fill("parameter-code", "4001")
	b.wantURL("/close?code=4001")
	b.fill("parameter-reason", "so & so @ 100%")
	b.wantURL("/close?code=4001&reason=so%20%26%20so%20@%20100%25")
	b.click("open")
	b.waitState("CLOSED")
	b.until(`document.getElementById("shown").textContent === "2 entries"`)
	all := b.download()
	wantKinds(t, all, "event open", "event close")
	if e := all[1]; e.Code != 4001 || e.Reason != "so & so @ 100%" {
		t.Errorf("got close %+v", e)
	}
	b.fill("route", "/abort")
	b.do("ticking rst", chromedp.Click(chromedp.CSS("#parameter-rst")))
	b.wantURL("/abort?rst")
	b.fill("route", "/echo")
	b.wantURL("/echo")
}

// Faults are added, filled in and removed, by the keyboard alone.
func TestPickerFaults(t *testing.T) {
	b := openPicker(t)
	b.fill("fault", "delay")
	b.until(`document.activeElement.id === "parameter-delay"`)
	b.do("typing", chromedp.KeyEvent("50ms"))
	b.wantURL("/echo?delay=50ms")
	b.fill("fault", "rst")
	b.wantURL("/echo?delay=50ms&rst")
	b.do("typing", chromedp.KeyEvent("@3"))
	b.wantURL("/echo?delay=50ms&rst=@3")
	b.fill("fault", "mute-pong")
	b.wantURL("/echo?delay=50ms&rst=@3&mute-pong")
	b.until(`document.activeElement.getAttribute("aria-label") === "Remove mute-pong"`)
	b.do("removing", chromedp.KeyEvent(kb.Enter))
	b.wantURL("/echo?delay=50ms&rst=@3")
	b.until(`document.activeElement.id === "fault"`)
	if !valueOf[bool](b, `[...document.getElementById("fault").options].find((o) => o.value === "delay").disabled`) {
		t.Error("a fault can be added twice")
	}
}

// A path with a name in it has a field for that, and the zoo's animals are offered.
func TestPickerZoo(t *testing.T) {
	b := openPicker(t)
	b.fill("route", "/zoo/{name}")
	b.wantURL("/zoo/accept-wrong")
	b.until(`document.querySelector("#animals option[value=rsv1]") !== null`)
	b.fill("parameter-name", "close-empty")
	b.wantURL("/zoo/close-empty")
	b.click("open")
	b.until(`document.getElementById("shown").textContent === "2 entries"`)
	all := b.download()
	wantKinds(t, all, "event open", "event close")
	if e := all[1]; e.Code != 1005 || e.WasClean == nil || !*e.WasClean {
		t.Errorf("got close %+v", e)
	}
	b.open(valueOf[string](b, "location.origin") + "/zoo")
	b.open(valueOf[string](b, `document.querySelector("tr[data-animal=rsv1] a").href`))
	b.wantURL("/zoo/rsv1")
}

// The URL is copied as it stands.
func TestPickerCopy(t *testing.T) {
	b := openConsole(t)
	b.allowClipboard()
	b.fill("url", "ws://example.com/any?thing")
	b.click("copy-url")
	b.until(`document.getElementById("copy-url").textContent === "Copied"`)
	if got := b.clipboard(); strings.TrimSpace(got) != "ws://example.com/any?thing" {
		t.Errorf("copied %q", got)
	}
}
