//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	// A state is shown at once: it may last less than a frame.
	press := func(id, want string) {
		t.Helper()
		if got := valueOf[string](b, `(document.getElementById("`+id+`").click(), document.getElementById("state").dataset.state)`); got != want {
			t.Errorf("after %s: got state %s, want %s", id, got, want)
		}
	}
	press("open", "CONNECTING")
	b.waitState("OPEN")
	b.click("submit")
	b.waitReceived("1")
	b.fill("code", "4001")
	b.fill("reason", "für heute genug")
	press("shut", "CLOSING")
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

// What was agreed on is shown, and kept in the log.
func TestConsoleExtensions(t *testing.T) {
	b := openConsole(t)
	for path, want := range map[string]string{
		"/echo":    "no extensions",
		"/deflate": "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
	} {
		b.run(`document.getElementById("clear").click()`)
		b.fill("url", path)
		b.click("open")
		b.waitState("OPEN")
		b.until(`document.getElementById("extensions").textContent === "` + want + `"`)
		if all := b.download(); strings.HasPrefix(want, "permessage") != (all[0].Extensions == want) {
			t.Errorf("%s: got %+v", path, all[0])
		}
		b.click("shut")
		b.waitState("CLOSED")
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
	b.watchShifts()
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
	b.wantNoShift()
	if !strings.Contains(b.text("rows"), "message 1000") {
		t.Error("the newest message is not in view")
	}
}

// What is sent again and again can be stopped, and what was sent comes back.
func TestConsoleStop(t *testing.T) {
	b := openConsole(t)
	b.click("open")
	b.waitState("OPEN")
	b.fill("count", "1000000")
	b.fill("every", "1")
	b.click("submit")
	b.until(`document.getElementById("received").textContent.length > 1 && document.getElementById("submit").disabled`)
	b.click("stop")
	b.until(`!document.getElementById("submit").disabled && document.getElementById("stop").disabled`)
	sent := b.text("sent")
	b.waitReceived(sent)
	if again := b.text("sent"); again != sent {
		t.Errorf("sent %s messages after the stop at %s", again, sent)
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

// All of it goes without a mouse.
func TestConsoleByKeyboard(t *testing.T) {
	b := openConsole(t)
	press := func(what, id string, keys string, more ...chromedp.KeyOption) {
		t.Helper()
		b.do(what, chromedp.Focus(chromedp.CSS("#"+id)), chromedp.KeyEvent(keys, more...))
	}
	press("connecting", "url", kb.Enter)
	b.waitState("OPEN")
	press("sending", "text", kb.Enter, chromedp.KeyModifiers(kb.ModifierCtrl))
	b.waitReceived("1")
	press("reading", "log", kb.End)
	b.until(`document.getElementById("detail-title").textContent.startsWith("received · text")`)
	press("closing", "reason", kb.Enter)
	b.waitState("CLOSED")
	b.do("opening the picker", chromedp.Focus(chromedp.CSS("#picker summary")), chromedp.KeyEvent(" "))
	b.until(`document.getElementById("route").options.length > 10`)
	// From the first control to the last, the tabulator comes by everything that
	// can be used, and what has the focus is seen.
	b.run(`document.getElementById("url").focus()`)
	seen := map[string]bool{}
	for range 60 {
		b.do("tabbing", chromedp.KeyEvent(kb.Tab))
		seen[valueOf[string](b, `document.activeElement.id || document.activeElement.tagName`)] = true
		if !valueOf[bool](b, `document.activeElement === document.body || getComputedStyle(document.activeElement.matches(".segments input") ? document.activeElement.nextElementSibling : document.activeElement).outlineStyle !== "none"`) {
			t.Errorf("the focus on %s is not seen", b.focus())
		}
	}
	for _, id := range []string{"copy-url", "SUMMARY", "route", "fault", "protocols", "open", "code", "reason", "text", "count", "every", "only", "filter", "follow", "copy", "download", "clear", "log", "detail-copy", "detail-close"} {
		if !seen[id] {
			t.Errorf("the tabulator does not come by %s: %v", id, seen)
		}
	}
}

// focus names what has the focus.
func (b *tab) focus() string {
	return valueOf[string](b, `document.activeElement.outerHTML.slice(0, 100)`)
}
