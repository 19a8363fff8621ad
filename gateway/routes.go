package main

import (
	"fmt"

	"echogate/gateway/zoo"
	"echogate/poller/websocket"
)

// routes is the routing table: path → handler functions, a line each. To add a
// handler write a function and a line here.
func routes() map[string]websocket.Route {
	return map[string]websocket.Route{
		"/echo":           {Upgrade: choose, Message: echo, Protocols: first},
		"/":               {Upgrade: choose, Message: echo, Protocols: first, HTTP: page("index.html")},
		"/tutorial":       {HTTP: page("tutorial.html")},
		"/console/{file}": {HTTP: file},
		"/status/{code}":  {HTTP: status},
		"/zoo":            {HTTP: zoo.List},
		"/zoo/{name}":     zoo.Route(),
	}
}

// first answers the first subprotocol that a client offers: a browser whose
// offer is not answered closes with 1006.
var first = []string{"*"}

// aliases are more paths of routes, for people who come from another echo
// server.
var aliases = map[string]string{
	"/.ws": "/echo",
}

// table compiles the routes and their aliases. A route without a list of origins
// gets the gateway's.
func table(origins []string) (*websocket.Routes, error) {
	all := routes()
	for alias, path := range aliases {
		route, ok := all[path]
		if _, taken := all[alias]; !ok || taken {
			return nil, fmt.Errorf("alias %s of %s: no such route, or the alias is one itself", alias, path)
		}
		all[alias] = route
	}
	for path, route := range all {
		if route.Origins == nil {
			route.Origins = origins
			all[path] = route
		}
	}
	return websocket.Compile(all)
}
