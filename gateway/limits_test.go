//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"echogate/poller"
	"echogate/poller/websocket"
)

// TestReferenceOfLimits compares the table of limits in README.md with the rows
// below and the defaults of the flags.
func TestReferenceOfLimits(t *testing.T) { keepTable(t, "README.md", "limits", limitTable(t)) }

// limit is a row of the table of limits: a fault that a server of sockets meets,
// and what becomes of it.
type limit struct {
	id, fault, promise string
	flags              []string // that move it
	counted            []string // "closed idle": metric and reason
	tests              []string // "package Test", or "package Test/sub-test"
}

// metrics are the counters that a limit may be counted under, by a short name.
var metrics = map[string]string{
	"rejected": "handshakes_rejected_total", "refused": "connections_refused_total", "closed": "connections_closed_total",
}

// limitTable is the table in Markdown, one for each group.
func limitTable(t *testing.T) string {
	t.Helper()
	defaults := make(map[string]string)
	for _, f := range options(newParser(&commandLine{}, io.Discard, nil)) {
		defaults[f.Name] = f.Default
	}
	var b strings.Builder
	for i := range limitRows {
		x := &limitRows[i]
		if group := limitGroups[x.id[0]]; i == 0 || limitRows[i-1].id[0] != x.id[0] {
			fmt.Fprintf(&b, "\n### %s\n\n| row | fault | promise | flag: default | counted under | test |\n|---|---|---|---|---|---|\n", group)
		}
		var flags, counted, tests []string
		for _, name := range x.flags {
			value, ok := defaults[name]
			if !ok {
				t.Errorf("%s: there is no flag --%s", x.id, name)
			}
			if value == "" {
				value = "–"
			}
			flags = append(flags, fmt.Sprintf("`--%s`: %s", name, value))
		}
		for _, c := range x.counted {
			short, reason, _ := strings.Cut(c, " ")
			if name, ok := metrics[short]; ok {
				c = fmt.Sprintf("`%s{reason=%q}`", name, reason)
			} else {
				c = "`" + c + "`"
			}
			counted = append(counted, c)
		}
		for _, test := range x.tests {
			dir, name, _ := strings.Cut(test, " ")
			tests = append(tests, fmt.Sprintf("%s `%s`", dir, name))
		}
		cells := []string{x.id, x.fault, x.promise, strings.Join(flags, "<br>"), strings.Join(counted, "<br>"), strings.Join(tests, "<br>")}
		for i, c := range cells {
			if c == "" {
				cells[i] = "–"
			}
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String() + "\n"
}

// TestLimitsAreComplete: no row is missing, each has a test, and each test is
// there under the name that the row gives.
func TestLimitsAreComplete(t *testing.T) {
	var ids []string
	for i := range limitRows {
		x := &limitRows[i]
		ids = append(ids, x.id)
		if x.fault == "" || x.promise == "" || len(x.tests) == 0 {
			t.Errorf("%s: has no fault, no promise or no test", x.id)
		}
		for _, test := range x.tests {
			dir, name, _ := strings.Cut(test, " ")
			if !hasTest(t, dir, name) {
				t.Errorf("%s: there is no test %s in %s", x.id, name, dir)
			}
		}
	}
	var want []string
	for group, n := range map[string]int{"A": 9, "B": 8, "C": 5, "D": 6, "E": 7, "F": 4, "G": 4, "H": 5, "T": 5} {
		for i := range n {
			want = append(want, fmt.Sprint(group, i+1))
		}
	}
	want = slices.DeleteFunc(want, func(id string) bool { return id == "A7" }) // proxies have a chapter of their own
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("got rows %v, want %v", ids, want)
	}
}

// hasTest reports whether a package has a test of that name and, beside it, a
// table that names its sub-test, if there is one.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	function, sub, _ := strings.Cut(name, "/")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+function+"(") {
			return sub == "" || strings.Contains(string(text), `{"`+sub)
		}
	}
	return false
}

// TestLimitsAreCounted: the reasons that the rows name are those of the counters.
func TestLimitsAreCounted(t *testing.T) {
	known := make(map[string]bool)
	for c := range websocket.Causes {
		known["closed "+c.String()] = true
	}
	for r := range websocket.Rejects {
		known["rejected "+r.String()] = true
	}
	for r := range poller.Refusals {
		known["refused "+r.String()] = true
	}
	for i := range limitRows {
		for _, c := range limitRows[i].counted {
			if short, _, ok := strings.Cut(c, " "); ok && !known[c] {
				t.Errorf("%s: nothing is counted under %s{%s}", limitRows[i].id, short, c)
			}
		}
	}
}
