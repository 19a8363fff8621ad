//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// How the page looks, with a filled log: nothing is wider than the screen, and
// the pictures are kept for who asks for them.
func TestConsoleLooks(t *testing.T) {
	b := openConsole(t)
	b.picture("empty")
	b.fill("protocols", "chat")
	b.click("open")
	b.waitState("OPEN")
	b.click("submit")
	b.fill("text", `{"id": {n}, "text": "Grüße aus dem Fenster, mit einem Satz, der länger ist als jede Zeile es sein kann, die hier gezeigt wird"}`)
	b.fill("count", "40")
	b.fill("every", "5")
	b.click("submit")
	b.waitReceived("41")
	b.choose("kind", "binary")
	b.fill("count", "3")
	b.click("submit")
	b.waitReceived("44")
	b.fill("code", "4000")
	b.fill("reason", "done")
	b.run(`document.querySelector("#rows .row:not([hidden])[data-kind=binary]:nth-last-child(-n+20)").click()`)
	b.until(`!document.getElementById("detail").hidden`)
	b.inLooks("console")
	for _, name := range []string{"tutorial", "zoo"} {
		b.open(valueOf[string](b, "location.origin") + "/" + name)
		b.until(`document.documentElement.scrollWidth <= innerWidth`)
		b.picture(name)
	}
}

// How the picker looks, open and with faults, and the zoo with what it has found.
func TestPickerLooks(t *testing.T) {
	b := openPicker(t)
	b.fill("route", "/close")
	b.fill("parameter-code", "4001")
	for _, fault := range []string{"delay", "close", "mute-pong"} {
		b.fill("fault", fault)
	}
	b.inLooks("picker")
	b.open(valueOf[string](b, "location.origin") + "/zoo")
	b.click("visit")
	b.until(`document.querySelectorAll("tr[data-did]").length > 10`)
	b.inLooks("zoo")
	b.complained() // of the animals
}

// inLooks looks at the page wide and narrow, light and dark.
func (b *tab) inLooks(name string) {
	b.t.Helper()
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{
		{"desktop-light", "light", 1280, 800},
		{"desktop-dark", "dark", 1280, 800},
		{"tablet-light", "light", 820, 1180},
		{"phone-light", "light", 375, 812},
		{"phone-dark", "dark", 375, 812},
	} {
		b.do(look.name, emulateScheme(look.scheme), chromedp.EmulateViewport(look.width, look.height, asPhone(look.width < 500)))
		b.until(fmt.Sprintf("innerWidth === %d && document.documentElement.scrollWidth <= innerWidth", look.width))
		b.picture(name + "-" + look.name)
	}
}

// asPhone makes scroll bars lie over the page, as on a phone.
func asPhone(phone bool) chromedp.EmulateViewportOption {
	return func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
		p.Mobile = phone
	}
}

// emulateScheme makes the browser prefer light or dark.
func emulateScheme(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		return t.Call(ctx, emulation.SetEmulatedMedia.Method, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}, nil)
	})
}

// picture keeps a picture of the whole page in the folder for artefacts.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ECHOGATE_TEST_ARTEFACTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
