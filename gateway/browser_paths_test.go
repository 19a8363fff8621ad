//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

// connectTo connects the console to a path of its own server.
func (b *tab) connectTo(path string) {
	b.t.Helper()
	b.fill("url", path)
	b.click("open")
}

// Every event of a WebSocket is produced on purpose by a path, and the log has it
// with all that the browser says.
func TestEventsOnPurpose(t *testing.T) {
	b := openConsole(t)
	for _, x := range []struct {
		path   string
		code   int
		reason string
		clean  bool
		kinds  []string
	}{
		{"/close?code=4001&reason=by%20request", 4001, "by request", true, []string{"event open", "event close"}},
		{"/close?code=1005", 1005, "", true, []string{"event open", "event close"}},
		{"/internal_error", 1011, "", true, []string{"event open", "event close"}},
		{"/abort", 1006, "", false, []string{"event open", "event close"}},
		{"/abort?rst", 1006, "", false, []string{"event open", "event close"}},
		{"/abort_handshake", 1006, "", false, []string{"event error", "event close"}},
		{"/nowhere", 1006, "", false, []string{"event error", "event close"}},
		{"/zoo/rsv1", 1006, "", false, []string{"event open", "event error", "event close"}},
		{"/zoo/pong-unasked", 1000, "", true, []string{"event open", "event close"}},
	} {
		b.click("clear")
		b.connectTo(x.path)
		b.until(fmt.Sprintf(`document.getElementById("shown").textContent === "%d entries"`, len(x.kinds)))
		b.waitState("CLOSED")
		all := b.download()
		t.Run(x.path, func(t *testing.T) {
			wantKinds(t, all, x.kinds...)
			if e := all[len(all)-1]; e.Code != x.code || e.Reason != x.reason || e.WasClean == nil || *e.WasClean != x.clean {
				t.Errorf("got close %+v, want %d %q, clean %v", e, x.code, x.reason, x.clean)
			}
		})
	}
	b.forgive()
}

// forgive forgets the lines that the browser itself writes about a WebSocket.
func (b *tab) forgive() {
	b.t.Helper()
	for _, text := range b.complained() {
		if !strings.Contains(text, "WebSocket connection to") {
			b.t.Errorf("the page complained: %s", text)
		}
	}
}

// Whom a server does not answer, or answers something else, a browser refuses.
func TestSubprotocolRefused(t *testing.T) {
	b := openConsole(t)
	b.fill("protocols", "chat, v2")
	for _, mode := range []string{"none", "foreign"} {
		b.click("clear")
		b.connectTo("/subprotocol?mode=" + mode)
		b.until(`document.getElementById("shown").textContent === "2 entries"`)
		wantKinds(t, b.download(), "event error", "event close")
	}
	b.forgive()
	b.click("clear")
	b.connectTo("/subprotocol?mode=first")
	b.waitState("OPEN")
	if got := b.text("protocol"); got != "chat" {
		t.Errorf("got subprotocol %q, want the first", got)
	}
}

// Against a server that reads slowly bufferedAmount grows with each message, and
// the plot shows it.
func TestBufferedAmountGrows(t *testing.T) {
	b := openConsole(t)
	b.connectTo("/slow?rate=1000")
	b.waitState("OPEN")
	b.fill("text", strings.Repeat("x", 1<<20))
	amount := func() int {
		t.Helper()
		return valueOf[int](b, `(() => {
			const [, n, unit] = /^([\d.]+) (\w+)$/.exec(document.getElementById("buffered").textContent);
			return Math.round(n * {B: 1, KiB: 1024, MiB: 1024 ** 2}[unit]);
		})()`)
	}
	// What the kernels of both sides take is not the browser's any more; the rest
	// stays with it.
	var amounts []int
	for n := 1; n <= 64 && (n == 1 || amounts[n-2] < 3<<20); n++ {
		b.click("submit")
		b.until(fmt.Sprintf(`document.getElementById("sent").textContent === "%d" && !document.getElementById("submit").disabled`, n))
		amounts = append(amounts, amount())
	}
	if n := len(amounts); n < 3 || amounts[n-1] < 3<<20 || amounts[n-1] < amounts[n-2]+1<<19 || amounts[n-2] < amounts[n-3]+1<<19 {
		t.Errorf("bufferedAmount did not grow with each MiB: %d", amounts)
	}
	b.until(`/^peak [\d.]+ MiB$/.test(document.getElementById("peak").textContent)`)
	heights := valueOf[int](b, `new Set(document.querySelector("#plot polyline").getAttribute("points").split(" ").map((p) => p.split(",")[1])).size`)
	if heights < 3 {
		t.Errorf("the plot has %d heights", heights)
	}
}

// Ten thousand messages come back, every one, in their order.
func TestTenThousandMessages(t *testing.T) {
	b := openConsole(t)
	b.click("open")
	b.waitState("OPEN")
	b.fill("text", "message {n}")
	b.fill("count", "10000")
	b.fill("every", "0")
	b.click("submit")
	b.waitReceived("10,000")
	n := 0
	for _, e := range b.download() {
		if e.Direction != "received" {
			continue
		}
		if n++; e.Text != fmt.Sprintf("message %d", n) {
			t.Fatalf("got %q as message %d", e.Text, n)
		}
	}
	if n != 10000 {
		t.Errorf("got %d messages", n)
	}
}

// A fault of the picker shows in the browser: what is late is late, what is
// dropped is not there.
func TestFaultsInBrowser(t *testing.T) {
	b := openConsole(t)
	b.connectTo("/echo?delay=300ms")
	b.waitState("OPEN")
	b.click("submit")
	b.waitReceived("1")
	all := b.download()
	if trip := all[2].RoundTrip; trip < 290 {
		t.Errorf("got a round trip of %v ms, want at least 300", trip)
	}
	b.click("shut")
	b.waitState("CLOSED")
	b.click("clear")
	b.connectTo("/echo?close=4002@2&reason=enough")
	b.waitState("OPEN")
	b.fill("count", "2")
	b.click("submit")
	b.waitState("CLOSED")
	if e := last(b.download()); e.Code != 4002 || e.Reason != "enough" {
		t.Errorf("got close %+v", e)
	}
}

func last(all []entry) entry { return all[len(all)-1] }
