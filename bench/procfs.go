package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// numbers parses several numbers and keeps the first error.
type numbers struct{ err error }

func (n *numbers) parse(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil && n.err == nil {
		n.err = fmt.Errorf("bench: not a number in /proc: %q", s)
	}
	return v
}

// keyValues reads the numbers behind keys in a file of /proc that has one key
// at the begin of each line. There are always as many values as keys.
func keyValues(path string, keys ...string) ([]int64, error) {
	values := make([]int64, len(keys))
	b, err := os.ReadFile(path)
	if err != nil {
		return values, err
	}
	var n numbers
	found := 0
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		for i, key := range keys {
			if len(fields) > 1 && fields[0] == key {
				values[i] = n.parse(fields[1])
				found++
			}
		}
	}
	if found < len(keys) {
		return values, fmt.Errorf("%s lacks one of %s", path, strings.Join(keys, " "))
	}
	return values, n.err
}

// pairs reads a line of /proc/net/sockstat: "TCP: inuse 5 orphan 0 mem 3".
func pairs(path, key string) (map[string]int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != key {
			continue
		}
		var n numbers
		m := make(map[string]int64)
		for i := 1; i+1 < len(fields); i += 2 {
			m[fields[i]] = n.parse(fields[i+1])
		}
		return m, n.err
	}
	return nil, fmt.Errorf("%s has no line %s", path, key)
}
