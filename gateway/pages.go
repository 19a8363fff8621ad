package main

import (
	"echogate/gateway/console"
	"echogate/poller/websocket"
)

// page is the HTTP function of one of the console's pages, prepared once.
func page(path string) func(*websocket.Response, *websocket.Request) error {
	for _, p := range console.Pages() {
		if p.Path == path {
			return websocket.NewStatic(websocket.Response{
				Type: p.Type, ETag: p.ETag, Cache: p.Cache, Policy: p.Policy, Body: p.Body,
			}).HTTP
		}
	}
	panic("gateway: internal error: no page " + path)
}
