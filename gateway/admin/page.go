package admin

import (
	"embed"
	"net/http"
	"path"

	"echogate/gateway/console"
)

//go:embed pages
var pages embed.FS

// pagePolicy is the Content-Security-Policy of the page: nothing but our own
// files and figures, no script or style inside it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// shared are the files that the page has of the console, for its looks.
var shared = []string{"style.css", "favicon.svg"}

// pageFiles puts the page, at /, and its files, below /page/, in the table.
func pageFiles(mux *http.ServeMux) {
	list, err := pages.ReadDir("pages")
	if err != nil {
		panic("admin: internal error: " + err.Error())
	}
	for _, f := range list {
		body, err := pages.ReadFile("pages/" + f.Name())
		if err != nil {
			panic("admin: internal error: " + err.Error())
		}
		if f.Name() == "index.html" {
			mux.Handle("GET /{$}", static(".html", body))
			continue
		}
		mux.Handle("GET /page/"+f.Name(), static(path.Ext(f.Name()), body))
	}
	files := console.Files()
	for _, name := range shared {
		mux.Handle("GET /page/"+name, static(path.Ext(name), files[name].Body))
	}
}

// mediaTypes are of our files; the machine's own table may be empty.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// static answers with a file of that extension.
func static(extension string, body []byte) http.Handler {
	media, ok := mediaTypes[extension]
	if !ok {
		panic("admin: internal error: no media type for " + extension)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", media)
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(body)
	})
}
