package zoo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"strings"

	"echogate/gateway/console"
	"echogate/poller/websocket"
)

//go:embed page.html
var source string

// page and list are what /zoo answers, prepared once.
var (
	page = websocket.NewStatic(vary(console.Page(render())))
	list = websocket.NewStatic(vary(websocket.Response{
		Type: "application/json", Cache: "no-cache", Body: marshal(),
	}))
)

// vary tells caches that the answer depends on what was asked for.
func vary(r websocket.Response) websocket.Response {
	r.Header = append(r.Header, [2]string{"Vary", "Accept"})
	return r
}

// List answers /zoo: the animals as a page, or as a JSON array for who asks for
// application/json.
func List(w *websocket.Response, r *websocket.Request) error {
	if wanted, _ := r.Header("Accept"); strings.Contains(strings.ToLower(wanted), "application/json") {
		return list.HTTP(w, r)
	}
	return page.HTTP(w, r)
}

// marshal is the array.
func marshal() []byte {
	text, err := json.MarshalIndent(animals, "", "  ")
	if err != nil {
		panic("zoo: internal error: " + err.Error())
	}
	return append(text, '\n')
}

// group is a part of the page.
type group struct {
	Title   string
	Animals []Animal
}

// render fills the page in.
func render() []byte {
	groups := []group{
		{"Handshakes", byKind("handshake")}, {"Frames", byKind("frame")},
		{"Messages", byKind("message")}, {"Closing", byKind("close")},
	}
	var b bytes.Buffer
	if err := template.Must(template.New("zoo").Parse(source)).Execute(&b, groups); err != nil {
		panic("zoo: internal error: " + err.Error())
	}
	return b.Bytes()
}

func byKind(kind string) (some []Animal) {
	for _, a := range animals {
		if a.Kind == kind {
			some = append(some, a)
		}
	}
	return some
}
