//go:build linux

package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// Chromium offers permessage-deflate by itself. It is told of no context takeover,
// gets back what it sent of every size, and ends it in order; over TLS too.
func TestBrowserCompressed(t *testing.T) {
	for scheme, flags := range map[string][]string{"http": nil, "https": {"--tls-self-signed"}} {
		t.Run(scheme, func(t *testing.T) {
			host := startGateway(t, flags...)
			b := openBrowser(t, chromedp.Flag("ignore-certificate-errors", true))
			b.open(scheme + "://" + host + "/")
			b.run(`setTimeout(() => {
				const words = ["", "short", "a longer message, over and over. ".repeat(50), "слова ".repeat(30000), "x".repeat(900000)]
				const s = new WebSocket(location.origin.replace("http", "ws") + "/deflate")
				let at = 0
				s.onopen = () => { alert(s.extensions); s.send(words[0]) }
				s.onmessage = e => {
					if (e.data !== words[at]) alert("message " + at + " came back as " + e.data.length)
					++at < words.length ? s.send(words[at]) : s.close(1000)
				}
				s.onclose = e => alert(at + " came back, closed with " + e.code + ", clean: " + e.wasClean)
			})`)
			b.wantAlert("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
			b.wantAlert("5 came back, closed with 1000, clean: true")
		})
	}
}

// A browser is not compressed to where nobody asked for it.
func TestBrowserNotCompressed(t *testing.T) {
	b := openBrowser(t)
	b.open("http://" + startGateway(t) + "/")
	b.run(`setTimeout(() => {
		const s = new WebSocket(location.origin.replace("http", "ws") + "/echo")
		s.onopen = () => { alert("extensions: " + s.extensions); s.close() }
	})`)
	b.wantAlert("extensions: ")
}
