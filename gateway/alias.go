package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"strings"

	"echogate/poller/websocket"
)

const aliasForms = "accepted are /path=/target and /path=/target?query, where /target is one of the paths that \"gateway routes\" lists"

// aliases are all aliases in force: the gateway's own, those of the file, those
// of the flag, where a later one with the same path holds. Each must stand for a
// route; the error names where the bad one was given.
func (c *Config) aliases(routes *websocket.Routes) (map[string]string, error) {
	all := maps.Clone(aliases)
	if err := c.readAliases(all, routes); err != nil {
		return nil, err
	}
	for _, text := range c.Alias {
		path, target, ok := strings.Cut(text, "=")
		if !ok || !isAlias(path, target, routes) {
			return nil, c.wrong("alias", "%q: %s", text, aliasForms)
		}
		all[path] = target
	}
	return all, nil
}

// readAliases reads --alias-file: a path and its target in each line, as
// pywebsocket has them; # begins a comment line.
func (c *Config) readAliases(all map[string]string, routes *websocket.Routes) error {
	if c.AliasFile == "" {
		return nil
	}
	f, err := os.Open(c.AliasFile)
	if err != nil {
		return c.wrong("alias-file", "%w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 || !isAlias(fields[0], fields[1], routes) {
			return fmt.Errorf("%s:%d: %q: accepted are /path /target and /path /target?query, where /target is one of the paths that \"gateway routes\" lists", c.AliasFile, n, in.Text())
		}
		all[fields[0]] = fields[1]
	}
	if err := in.Err(); err != nil {
		return c.wrong("alias-file", "%s: %w", c.AliasFile, err)
	}
	return nil
}

// isAlias reports whether target is a path of the table, perhaps with a query,
// and path may stand for it.
func isAlias(path, target string, routes *websocket.Routes) bool {
	_, found := routes.Match(pathOf(target))
	return found && strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "{}?#")
}

// pathOf is a target without its query.
func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}
