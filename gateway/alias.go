package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"strings"
)

// aliases are all aliases in force: the gateway's own, those of the file, those
// of the flag, where a later one with the same path holds. check judges one and
// what it stands for; the error names where the bad one was given.
func (c *Config) aliases(check func(path, target string) error) (map[string]string, error) {
	all := maps.Clone(aliases)
	if err := c.readAliases(all, check); err != nil {
		return nil, err
	}
	for _, text := range c.Alias {
		path, target, ok := strings.Cut(text, "=")
		if !ok {
			return nil, c.wrong("alias", "%q: accepted are /path=/target and /path=/target?query", text)
		}
		if err := check(path, target); err != nil {
			return nil, c.wrong("alias", "%q: %w", text, err)
		}
		all[path] = target
	}
	return all, nil
}

// readAliases reads --alias-file: a path and its target in each line, as
// pywebsocket has them; # begins a comment line.
func (c *Config) readAliases(all map[string]string, check func(path, target string) error) error {
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
		if len(fields) != 2 {
			return fmt.Errorf("%s:%d: %q: accepted are /path /target and /path /target?query", c.AliasFile, n, in.Text())
		}
		if err := check(fields[0], fields[1]); err != nil {
			return fmt.Errorf("%s:%d: %q: %w", c.AliasFile, n, in.Text(), err)
		}
		all[fields[0]] = fields[1]
	}
	if err := in.Err(); err != nil {
		return c.wrong("alias-file", "%s: %w", c.AliasFile, err)
	}
	return nil
}
