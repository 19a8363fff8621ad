//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// openConsole opens the console page of a gateway of its own.
func openConsole(t *testing.T) *tab {
	t.Helper()
	b := openBrowser(t)
	b.saveDownloads()
	host := startGateway(t)
	b.open("http://" + host + "/")
	b.until(`document.getElementById("url").value === "ws://` + host + `/echo"`)
	t.Cleanup(func() {
		if all := b.complained(); len(all) > 0 {
			t.Errorf("the page complained: %q", all)
		}
	})
	return b
}

// waitState waits for a readyState in words.
func (b *tab) waitState(name string) {
	b.t.Helper()
	b.until(`document.getElementById("state").dataset.state === "` + name + `"`)
}

// waitReceived waits until so many messages have come on this connection.
func (b *tab) waitReceived(n string) {
	b.t.Helper()
	b.until(`document.getElementById("received").textContent === "` + n + `"`)
}

func TestConsoleStatesAndClose(t *testing.T) {
	b := openConsole(t)
	b.run(`window.states = [];
		new MutationObserver(() => states.push(document.querySelector("#state [aria-current=true]").textContent))
			.observe(document.getElementById("state"), {attributeFilter: ["data-state"]})`)
	b.click("open")
	b.waitState("OPEN")
	b.click("submit")
	b.waitReceived("1")
	b.fill("code", "4001")
	b.fill("reason", "für heute genug")
	b.click("shut")
	b.waitState("CLOSED")
	got := slices.Compact(valueOf[[]string](b, "states"))
	if want := []string{"0 CONNECTING", "1 OPEN", "2 CLOSING", "3 CLOSED"}; !slices.Equal(got, want) {
		t.Errorf("got states %q, want %q", got, want)
	}
	all := b.download()
	wantKinds(t, all, "event open", "sent text", "received text", "event close")
	for _, e := range all[1:3] {
		if e.Text != "This is a message" || e.Size != 17 || !e.Complete || e.Time.IsZero() {
			t.Errorf("got %+v", e)
		}
	}
	if all[2].RoundTrip <= 0 || all[1].RoundTrip != 0 {
		t.Errorf("got round trips %v of what was sent, %v of what came", all[1].RoundTrip, all[2].RoundTrip)
	}
	if e := all[3]; e.Code != 4001 || e.Reason != "für heute genug" || e.WasClean == nil || !*e.WasClean {
		t.Errorf("got close %+v", e)
	}
}

// Bytes and files come back as they are, whatever binaryType is.
func TestConsoleBinary(t *testing.T) {
	for _, kind := range []string{"arraybuffer", "blob"} {
		t.Run(kind, func(t *testing.T) {
			b := openConsole(t)
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte(strings.Repeat("0123456789", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
			b.choose("binary-type", kind)
			b.click("open")
			b.waitState("OPEN")
			b.choose("kind", "binary")
			b.fill("hex", "0x00, 0xFF 65:63 686f")
			b.click("submit")
			b.waitReceived("1")
			b.choose("kind", "file")
			b.do("choosing a file", chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
			b.click("submit")
			b.waitReceived("2")
			// What a Blob held is read a little later than it came.
			b.until(`document.querySelectorAll("#rows .row:not([hidden])").length === 5`)
			b.until(`![...document.querySelectorAll("#rows .content")].some((cell) => cell.textContent === "…")`)
			all := b.download()
			wantKinds(t, all, "event open", "sent binary", "received binary", "sent binary", "received binary")
			if e := all[2]; e.Hex != "00 ff 65 63 68 6f" || e.Size != 6 || !e.Complete || e.RoundTrip <= 0 {
				t.Errorf("got %+v", e)
			}
			if e := all[4]; !strings.HasPrefix(e.Hex, "30 31 32 33") || e.Size != 10000 || e.Complete {
				t.Errorf("got %d bytes, complete %v, %.30s…", e.Size, e.Complete, e.Hex)
			}
		})
	}
}

func TestConsoleSubprotocol(t *testing.T) {
	b := openConsole(t)
	b.fill("protocols", "v2.json, chat")
	b.click("open")
	b.waitState("OPEN")
	if got := b.text("protocol"); got != "v2.json" {
		t.Errorf("got subprotocol %q, want the first", got)
	}
	if all := b.download(); all[0].Protocol != "v2.json" {
		t.Errorf("got %+v", all[0])
	}
}

func TestConsoleError(t *testing.T) {
	b := openConsole(t)
	b.fill("url", "/nowhere")
	b.click("open")
	b.until(`document.getElementById("shown").textContent === "2 entries"`)
	all := b.download()
	wantKinds(t, all, "event error", "event close")
	if e := all[1]; e.Code != 1006 || e.WasClean == nil || *e.WasClean {
		t.Errorf("got close %+v", e)
	}
	for _, text := range b.complained() { // the browser's own line about it
		if !strings.Contains(text, "WebSocket connection to") {
			t.Errorf("the page complained: %s", text)
		}
	}
}

// A thousand messages in about a second: none is lost, each has its round trip,
// and nothing on the page moves meanwhile.
func TestConsoleThousandMessages(t *testing.T) {
	b := openConsole(t)
	b.run(`window.shift = 0;
		new PerformanceObserver((list) => list.getEntries().forEach((e) => (window.shift += e.value)))
			.observe({type: "layout-shift", buffered: false})`)
	b.click("open")
	b.waitState("OPEN")
	b.fill("text", "message {n}")
	b.fill("count", "1000")
	b.fill("every", "1")
	b.click("submit")
	b.waitReceived("1,000")
	b.until(`document.getElementById("shown").textContent === "2,001 entries"`)
	n := 0
	for _, e := range b.download() {
		if e.Direction != "received" {
			continue
		}
		n++
		if want := fmt.Sprintf("message %d", n); e.Text != want || e.RoundTrip <= 0 {
			t.Fatalf("got %q after %v ms, want %q", e.Text, e.RoundTrip, want)
		}
	}
	if n != 1000 {
		t.Errorf("got %d messages", n)
	}
	if n := valueOf[int](b, `[...document.querySelector("#histogram title").textContent.matchAll(/(\d+) (up to|longer)/g)].reduce((sum, m) => sum + Number(m[1]), 0)`); n != 1000 {
		t.Errorf("the histogram counts %d round trips: %s", n, b.text("histogram"))
	}
	if rows := valueOf[int](b, `document.getElementById("rows").childElementCount`); rows > 200 {
		t.Errorf("the log has %d rows in the document", rows)
	}
	if shift := valueOf[float64](b, "shift"); shift > 0 {
		t.Errorf("the layout shifted by %v", shift)
	}
	if !strings.Contains(b.text("rows"), "message 1000") {
		t.Error("the newest message is not in view")
	}
}

func TestConsoleBufferedAmount(t *testing.T) {
	b := openConsole(t)
	b.click("open")
	b.waitState("OPEN")
	// What is shown for a tenth of a second is noted by the page itself.
	b.run(`window.shown = [];
		new MutationObserver(() => {
			const line = document.querySelector("#plot polyline").getAttribute("points").split(" ");
			const heights = new Set(line.map((point) => point.split(",")[1]));
			window.shown.push(document.getElementById("peak").textContent + ", " + heights.size + " heights");
		}).observe(document.getElementById("peak"), {childList: true})`)
	b.fill("text", strings.Repeat("x", 1<<19))
	b.click("submit")
	b.until(`window.shown.some((text) => /^peak 512.0 KiB, [2-9] heights$/.test(text))`)
	b.waitReceived("1")
	b.until(`document.getElementById("buffered").textContent === "0 B"`)
}

// What the browser refuses is said at the field, and nothing is sent.
func TestConsoleBadInput(t *testing.T) {
	b := openConsole(t)
	invalid := func(id string) {
		t.Helper()
		b.until(`document.getElementById("` + id + `").validationMessage !== ""`)
	}
	b.fill("url", "ftp://example.com/")
	b.click("open")
	invalid("url")
	b.fill("url", "/echo")
	b.fill("protocols", "a,a")
	b.click("open")
	invalid("protocols")
	b.fill("protocols", "")
	b.click("open")
	b.waitState("OPEN")
	b.fill("code", "1001")
	b.click("shut")
	invalid("code")
	b.fill("code", "3000")
	b.fill("reason", strings.Repeat("ü", 62))
	b.click("shut")
	invalid("reason")
	b.choose("kind", "binary")
	b.fill("hex", "f")
	b.click("submit")
	invalid("hex")
	b.choose("kind", "file")
	b.click("submit")
	invalid("file")
	wantKinds(t, b.download(), "event open")
}

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
	_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.click("open")
	b.waitState("OPEN")
	b.click("submit")
	b.waitReceived("1")
	b.click("copy")
	b.until(`document.getElementById("copy").textContent === "Copied"`)
	b.run(`navigator.clipboard.readText().then((text) => window.copied = text)`)
	b.until("window.copied !== undefined")
	lines := strings.Split(strings.TrimSpace(valueOf[string](b, "copied")), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], "↑  text  17 B  This is a message") || !strings.Contains(lines[2], " ms  This is") {
		t.Errorf("got lines %q", lines)
	}
}

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
		b.until(fmt.Sprintf("innerWidth === %d", look.width))
		if wide := valueOf[int64](b, "document.documentElement.scrollWidth"); wide > look.width {
			t.Errorf("%s: the page is %d pixels wide", look.name, wide)
		}
		b.picture(look.name)
	}
	b.open(valueOf[string](b, "location.origin") + "/tutorial")
	b.until(`document.documentElement.scrollWidth <= innerWidth`)
	b.picture("tutorial")
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
