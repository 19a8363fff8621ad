// Package console holds the pages that the gateway serves beside its sockets:
// the console, the tutorial's page, and the styles and scripts of both. They
// make no request to another host, so that they work offline and in a container.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"path"

	"echogate/poller/websocket"
)

//go:embed pages
var pages embed.FS

// policy is the Content-Security-Policy of every page: nothing but our own
// files, no script or style inside a page, and sockets to anywhere, for that is
// what the console is for.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Files returns all files by their name, as they are answered. The pages expect
// their styles and scripts under /console/.
func Files() map[string]websocket.Response {
	list, err := pages.ReadDir("pages")
	if err != nil {
		panic("console: internal error: " + err.Error())
	}
	all := make(map[string]websocket.Response, len(list))
	for _, f := range list {
		body, err := pages.ReadFile("pages/" + f.Name())
		if err != nil {
			panic("console: internal error: " + err.Error())
		}
		all[f.Name()] = response(f.Name(), body)
	}
	return all
}

// Page is a page that another package has made, answered as the console's are:
// the same policy, and the same styles and scripts within its reach.
func Page(body []byte) websocket.Response { return response("page.html", body) }

// response makes a browser ask each time whether what it has is still good, and
// the entity tag says so: a new version of the gateway on the same address is
// seen at once, and an old one costs no bytes.
func response(name string, body []byte) websocket.Response {
	media, ok := mediaTypes[path.Ext(name)]
	if !ok {
		panic("console: internal error: no media type for " + name)
	}
	sum := sha256.Sum256(body)
	return websocket.Response{
		Type:   media,
		ETag:   `"` + hex.EncodeToString(sum[:12]) + `"`,
		Cache:  "no-cache",
		Policy: policy,
		Header: [][2]string{{"Referrer-Policy", "no-referrer"}},
		Body:   body,
	}
}
