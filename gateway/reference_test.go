package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"echogate/gateway/fault"
)

var update = flag.Bool("update", false, "write the tables of README.md and deploy/README.md anew")

// A generated table lies between two such lines of its file.
const (
	tableBegin = "<!-- %s: written by go test ./gateway -run TestReference -update -->\n"
	tableEnd   = "<!-- end of %s -->\n"
)

// TestReference compares the tables of README.md with what they are made of.
func TestReference(t *testing.T) {
	for name, table := range map[string]string{"options": optionTable(), "paths": pathTable(t), "faults": faultTable()} {
		keepTable(t, "README.md", name, table)
	}
}

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

// pathTable is the routing table in Markdown, a row for each path and one for
// each of its parameters.
func pathTable(t *testing.T) string {
	t.Helper()
	_, all, err := table(new(Config), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("\n| path | speaks | what is there |\n|---|---|---|\n")
	for _, l := range all {
		about := l.about
		for _, p := range l.params {
			about += fmt.Sprintf("<br>`?%s`: %s%s", p.Name, p.About, accepted(p))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.path, l.kind(), about)
	}
	return b.String() + "\n"
}

// accepted is what a parameter accepts, and its default, in brackets.
func accepted(p parameter) string {
	text := p.Accepts
	if text == "nothing" {
		text = "no value"
	}
	if p.Default != "" {
		text += "; else " + p.Default
	}
	return " (" + text + ")"
}

// faultTable is the grammar of faults in Markdown.
func faultTable() string {
	var b strings.Builder
	b.WriteString("\n| parameter | accepts | default | what it does |\n|---|---|---|---|\n")
	for _, p := range fault.Parameters() {
		value := "–"
		if p.Default != "" {
			value = p.Default
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, p.Accepts, value, p.About)
	}
	return b.String() + "\n"
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
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(name), value, cell(f.Help))
	}
	return b.String() + "\n"
}

// cell is text in a table of Markdown, where a bar would begin the next cell,
// between backquotes too.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
