package main

import (
	"maps"
	"slices"

	"echogate/poller/websocket"
)

// aliases are more paths of routes, for people who come from another echo
// server. One of --alias or --alias-file with the same path replaces it.
var aliases = map[string]string{
	"/.ws": "/echo",
}

// table compiles the routing table and its aliases. A route without a list of
// origins gets the gateway's. all are its lines, those of the aliases behind the
// others.
func table(c *Config) (routes *websocket.Routes, all []line, err error) {
	l := new(listing)
	all = lines(l)
	byPattern := make(map[string]websocket.Route, len(all))
	for _, line := range all {
		if line.Origins == nil {
			line.Origins = c.Origin
		}
		byPattern[line.path] = line.Route
	}
	if routes, err = websocket.Compile(byPattern); err != nil {
		return nil, nil, err
	}
	of, err := c.aliases(routes)
	if err != nil {
		return nil, nil, err
	}
	all = aliased(all, routes, of)
	l.fill(all)
	routes, err = routes.Alias(of)
	return routes, all, err
}

// aliased is the list of lines with the aliases in it.
func aliased(all []line, routes *websocket.Routes, of map[string]string) []line {
	listed := slices.DeleteFunc(slices.Clone(all), func(l line) bool { return of[l.path] != "" })
	for _, path := range slices.Sorted(maps.Keys(of)) {
		pattern, _ := routes.Match(pathOf(of[path]))
		i := slices.IndexFunc(all, func(l line) bool { return l.path == pattern })
		l := all[i]
		l.path, l.about = path, "alias of "+of[path]
		listed = append(listed, l)
	}
	return listed
}
