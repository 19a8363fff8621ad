package main

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"echogate/gateway/fault"
	"echogate/poller/websocket"
)

// aliases are more paths of routes, for people who come from another echo
// server. One of --alias or --alias-file with the same path replaces it.
var aliases = map[string]string{
	"/.ws": "/echo",
	"/raw": "/echo",
}

// table compiles the routing table and its aliases. A route without a list of
// origins gets the gateway's. all are its lines, those of the aliases behind the
// others.
func table(c *Config, given *fault.Counts) (routes *websocket.Routes, all []line, err error) {
	l := new(listing)
	all = lines(l)
	faults := &fault.Binder{Off: c.Faults == SwitchOff, Counts: given}
	byPattern := make(map[string]websocket.Route, len(all))
	for _, line := range all {
		if line.Origins == nil {
			line.Origins = c.Origin
		}
		if line.kind() != kindHTTP {
			line.Route = faults.Bind(line.Route, line.own())
		}
		byPattern[line.path] = line.Route
	}
	if routes, err = websocket.Compile(byPattern); err != nil {
		return nil, nil, err
	}
	of, err := c.aliases(func(path, target string) error {
		if err := checkTarget(target, routes, all, faults); err != nil {
			return err
		}
		_, err := routes.Alias(map[string]string{path: target})
		return errors.Unwrap(err) // the alias is named here
	})
	if err != nil {
		return nil, nil, err
	}
	with, err := routes.Alias(of)
	if err != nil {
		return nil, nil, c.wrong("alias", "%w", err)
	}
	all = aliased(all, routes, of, with.Patterns())
	l.fill(all)
	return with, all, nil
}

// checkTarget reports what is wrong with what an alias stands for.
func checkTarget(target string, routes *websocket.Routes, all []line, faults *fault.Binder) error {
	l := lineOf(target, routes, all)
	if l == nil {
		return errors.New("no such path: accepted are those that \"gateway routes\" lists, perhaps with a query")
	}
	_, query, _ := strings.Cut(target, "?")
	s, err := fault.Parse(websocket.Queries(query), l.own())
	if err == nil && s.Given && faults.Off {
		err = errors.New("a fault, and those are switched off")
	}
	return err
}

// lineOf is a copy of the line of a target's path, nil when there is none.
func lineOf(target string, routes *websocket.Routes, all []line) *line {
	path, _, _ := strings.Cut(target, "?")
	pattern, ok := routes.Match(path)
	if !ok {
		return nil
	}
	l := all[slices.IndexFunc(all, func(l line) bool { return l.path == pattern })]
	return &l
}

// aliased is the list of lines with the aliases in it, without those whose place
// an alias has taken: they are not among the patterns.
func aliased(all []line, routes *websocket.Routes, of map[string]string, patterns []string) []line {
	listed := slices.DeleteFunc(slices.Clone(all), func(l line) bool {
		return of[l.path] != "" || !slices.Contains(patterns, l.path)
	})
	for _, path := range slices.Sorted(maps.Keys(of)) {
		l := lineOf(of[path], routes, all)
		l.path, l.about = path, "alias of "+of[path]
		listed = append(listed, *l)
	}
	return listed
}
