package main

import (
	"encoding/json"

	"echogate/gateway/fault"
	"echogate/poller/websocket"
)

// A parameter of a path, as its documentation has it.
type parameter = fault.Parameter

// A listing answers /routes and /faults.
type listing struct{ ofRoutes, ofFaults *websocket.Static }

// listed is a line of the routing table as /routes has it.
type listed struct {
	Path       string      `json:"path"`
	Kind       string      `json:"kind"`
	About      string      `json:"about"`
	Parameters []parameter `json:"parameters"`
}

func (l *listing) routes(w *websocket.Response, r *websocket.Request) error {
	return l.ofRoutes.HTTP(w, r)
}

func (l *listing) faults(w *websocket.Response, r *websocket.Request) error {
	return l.ofFaults.HTTP(w, r)
}

// fill prepares the answers.
func (l *listing) fill(all []line) {
	entries := make([]listed, len(all))
	for i := range all {
		entries[i] = listed{all[i].path, all[i].kind(), all[i].about, append([]parameter{}, all[i].params...)}
	}
	l.ofRoutes = websocket.NewStatic(jsonPage(entries))
	l.ofFaults = websocket.NewStatic(jsonPage(fault.Parameters()))
}

// jsonPage is a page of JSON, indented for who reads it in a terminal.
func jsonPage(v any) websocket.Response {
	return websocket.Response{Type: "application/json", Cache: "no-cache", Body: indented(v)}
}

// indented is v as JSON. What is put into it can always be encoded.
func indented(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("gateway: internal error: " + err.Error())
	}
	return append(b, '\n')
}

// What a path speaks.
const (
	kindWebSocket = "websocket"
	kindHTTP      = "http"
	kindBoth      = "both"
)

// own are the names of the path's own parameters.
func (l *line) own() []string {
	names := make([]string, len(l.params))
	for i, p := range l.params {
		names[i] = p.Name
	}
	return names
}

// kind is what a path speaks.
func (l *line) kind() string {
	socket := l.Open != nil || l.Message != nil || l.Head != nil || l.Upgrade != nil
	switch {
	case l.HTTP == nil:
		return kindWebSocket
	case socket:
		return kindBoth
	}
	return kindHTTP
}
