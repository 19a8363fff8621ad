package main

import (
	"echogate/gateway/console"
	"echogate/poller/websocket"
)

// files are the console's, by their names, prepared once.
var files = func() map[string]*websocket.Static {
	all := make(map[string]*websocket.Static)
	for name, response := range console.Files() {
		all[name] = websocket.NewStatic(response)
	}
	return all
}()

// page is the HTTP function of the route that is that file.
func page(name string) func(*websocket.Response, *websocket.Request) error {
	s, ok := files[name]
	if !ok {
		panic("gateway: internal error: no page " + name)
	}
	return s.HTTP
}

// file answers /console/{file}: what the pages need.
func file(w *websocket.Response, r *websocket.Request) error {
	s, ok := files[r.Param("file")]
	if !ok {
		return websocket.Refuse(404, "no such file")
	}
	return s.HTTP(w, r)
}
