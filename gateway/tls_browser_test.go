//go:build linux

package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// A page that came by https: can open wss: alone. Chromium gets ours, echoes with
// a message of many records, and ends it in order.
func TestBrowserOverTLS(t *testing.T) {
	host := startGateway(t, "--tls-self-signed")
	b := openBrowser(t, chromedp.Flag("ignore-certificate-errors", true))
	b.open("https://" + host + "/")
	b.run(`setTimeout(() => {
		const long = "x".repeat(200000), s = new WebSocket("wss://" + location.host + "/echo")
		s.onopen = () => s.send("hello")
		s.onmessage = e => {
			alert(e.data === long ? "all of it" : e.data)
			e.data === long ? s.close(1000) : s.send(long)
		}
		s.onclose = e => alert("closed with " + e.code + ", clean: " + e.wasClean)
	})`)
	b.wantAlert("hello")
	b.wantAlert("all of it")
	b.wantAlert("closed with 1000, clean: true")
}
