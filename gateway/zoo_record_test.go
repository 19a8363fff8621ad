//go:build linux

package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"echogate/gateway/zoo"
)

// writeRecord writes the table to a file that is not there yet: records are only
// ever added.
func writeRecord(t *testing.T, path string, columns []column) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(recordOf(columns))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		t.Fatal(err)
	}
}

func recordOf(columns []column) string {
	var b strings.Builder
	b.WriteString("# " + time.Now().Format(time.DateOnly) + ": three clients in the zoo\n\n" +
		"What each animal of `/zoo` made of real clients: what the gateway saw them do (its\n" +
		"counter's label), and in parentheses what the client's user saw. **Bold**: not what\n" +
		"RFC 6455 asks for.\n\n## How\n\n")
	kernel, _, _ := strings.Cut(said("uname", "-r"), "-")
	fmt.Fprintf(&b, "- commit %s; %s, Linux %s\n", said("git", "rev-parse", "--short", "HEAD"), runtime.Version(), kernel)
	fmt.Fprintf(&b, "- Chromium: %s, headless, by the page's own button\n", said("chromium", "--version"))
	fmt.Fprintf(&b, "- gobwas/ws: %s, `ws.Dial` and `wsutil.ReadServerData` (`gateway/zoo_gobwas_test.go`)\n", moduleVersion("github.com/gobwas/ws"))
	fmt.Fprintf(&b, "- websockets: %s, on %s (`gateway/testdata/zoo.py`)\n",
		said("/usr/bin/python3", "-c", "import websockets.version as v; print(v.version)"), said("/usr/bin/python3", "--version"))
	b.WriteString("\n```sh\ngo test ./gateway -run TestZooClients -zoo-record ../bench/results/YYYY-MM-DD-zoo.md\n```\n\n## Table\n\n")
	b.WriteString("| animal | § | a client must |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, a := range zoo.Animals() {
		fmt.Fprintf(&b, "| %s | %s | %s |", a.Name, a.Section, a.Must)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.cell(a))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## What differs\n\n")
	for _, v := range visitors {
		byReason := reasons(v.differs)
		for _, why := range slices.Sorted(maps.Keys(byReason)) {
			fmt.Fprintf(&b, "- %s, %s: %s\n", v.name, strings.Join(byReason[why], ", "), why)
		}
	}
	return b.String()
}

// reasons are the animals with what a client does differently, by why.
func reasons(differs map[string]difference) map[string][]string {
	m := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(differs)) {
		m[differs[name].why] = append(m[differs[name].why], name)
	}
	return m
}

func (c column) cell(a zoo.Animal) string {
	did := c.did[a.Name].String()
	if !slices.Contains(a.Fits, c.did[a.Name]) {
		did = "**" + did + "**"
	}
	return fmt.Sprintf("%s (%s)", did, c.saw[a.Name])
}

// said is what a program prints, in one line.
func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return name + ": " + err.Error()
	}
	return strings.TrimSpace(string(out))
}

// moduleVersion is the version of a module that this test is built with.
func moduleVersion(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}
