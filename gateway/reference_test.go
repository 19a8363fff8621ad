package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the option table of README.md anew")

// The table of options lies between these lines of README.md.
const (
	tableBegin = "<!-- options: written by go test ./gateway -run TestReference -update -->\n"
	tableEnd   = "<!-- end of options -->\n"
)

// TestReference compares the option table of README.md with Config.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), tableBegin)
	_, tail, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatal("README.md has no table of options")
	}
	want := head + tableBegin + optionTable() + tableEnd + tail
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("README.md is not what Config says; go test ./gateway -run TestReference -update writes:\n%s", optionTable())
	}
}

// optionTable is the reference in Markdown, a table for each group.
func optionTable() string {
	var b strings.Builder
	group := ""
	for _, f := range options(newParser(&commandLine{}, io.Discard, nil)) {
		if f.Group.Key != group {
			group = f.Group.Key
			fmt.Fprintf(&b, "\n### %s\n\n| flag | default | what it is |\n|---|---|---|\n", group)
		}
		name, value := "`--"+strings.TrimSuffix(f.Name+" "+f.PlaceHolder, " ")+"`", "–"
		if f.Short != 0 {
			name = fmt.Sprintf("`-%c`, %s", f.Short, name)
		}
		if f.HasDefault {
			value = "`" + f.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, f.Help)
	}
	return b.String() + "\n"
}
