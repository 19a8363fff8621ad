//go:build linux

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// asLocalhost makes a browser find the gateway where the tutorials expect it.
func asLocalhost(host string) chromedp.ExecAllocatorOption {
	return chromedp.Flag("host-resolver-rules", "MAP localhost:9998 "+host)
}

// The link of the tutorial's page, end to end, up to the alert when the gateway
// stops.
func TestTutorialInBrowser(t *testing.T) {
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--drain", "0")
	b := openBrowser(t, asLocalhost(p.host))
	b.open("http://" + p.host + "/tutorial")
	if text := b.text("run"); text != "Run WebSocket" {
		t.Errorf("the link says %q", text)
	}
	b.click("run")
	wantTutorial(t, b, p)
}

// WebSocketTest can be called by hand, and says so where there is no WebSocket.
func TestTutorialWithoutWebSocket(t *testing.T) {
	b := openBrowser(t)
	b.open("http://" + startGateway(t) + "/tutorial")
	b.run("delete window.WebSocket; setTimeout(WebSocketTest)")
	b.wantAlert("WebSocket is not supported by this browser.")
}

// elsewhere is a page as the tutorials have it, with its script inside.
const elsewhere = `<!DOCTYPE HTML>
<html><head><script type="text/javascript">
function WebSocketTest() {
	if ("WebSocket" in window) {
		alert("WebSocket is supported by your Browser!");
		var ws = new WebSocket("ws://localhost:9998/echo");
		ws.onopen = function() { ws.send("This is a message"); alert("Message is sent..."); };
		ws.onmessage = function(evt) { var text = evt.data; alert("Message is received..."); };
		ws.onclose = function() { alert("Connection is closed..."); };
	} else {
		alert("WebSocket NOT supported by your Browser!");
	}
}
</script></head>
<body><a id="run" href="javascript:WebSocketTest()">Run WebSocket</a></body></html>`

// A tutorial's page that came from somebody else's server works unchanged.
func TestTutorialFromElsewhere(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, elsewhere)
	}))
	t.Cleanup(site.Close)
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--drain", "0")
	b := openBrowser(t, asLocalhost(p.host))
	b.open(site.URL + "/tutorial.html")
	b.click("run")
	b.wantAlert("WebSocket is supported by your Browser!")
	wantTutorial(t, b, p)
}

// wantTutorial sees the alerts in their order; stopping the gateway brings the
// last one.
func wantTutorial(t *testing.T, b *tab, p *program) {
	t.Helper()
	b.wantAlert("Message is sent...")
	b.wantAlert("Message is received...")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.wantAlert("Connection is closed...")
	for _, text := range b.complained() {
		if !strings.Contains(text, "favicon") { // somebody else's server has none
			t.Errorf("the page complained: %s", text)
		}
	}
}
