package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of README.md and deploy/README.md anew")

// A generated table lies between two such lines of its file.
const (
	tableBegin = "<!-- %s: written by go test ./gateway -run TestReference -update -->\n"
	tableEnd   = "<!-- end of %s -->\n"
)

// TestReferenceOfOptions compares the option table of README.md with Config.
func TestReferenceOfOptions(t *testing.T) { keepTable(t, "README.md", "options", optionTable()) }

// keepTable compares a table of a file with what it should be, or writes it anew.
func keepTable(t *testing.T, file, name, table string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := fmt.Sprintf(tableBegin, name), fmt.Sprintf(tableEnd, name)
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table of %s", file, name)
	}
	want := head + begin + table + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("%s is not what the program says; go test ./gateway -run TestReference -update writes:\n%s", file, table)
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
