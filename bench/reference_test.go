package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The tables of flags lie between these lines of README.md.
const (
	flagsBegin = "<!-- flags: written by go test ./bench -run TestReference -update -->\n"
	flagsEnd   = "<!-- end of flags -->\n"
)

// TestReference compares the tables of flags in README.md with commandLine.
func TestReference(t *testing.T) {
	text, head, tail := readme(t)
	want := head + flagsBegin + flagTables() + flagsEnd + tail
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != want {
		t.Errorf("README.md is not what the program says; go test ./bench -run TestReference -update writes:\n%s", flagTables())
	}
}

func readme(t *testing.T) (text, head, tail string) {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), flagsBegin)
	_, tail, closed := strings.Cut(rest, flagsEnd)
	if !ok || !closed {
		t.Fatal("README.md has no tables of flags")
	}
	return string(b), head, tail
}

// flagTables is the reference in Markdown: what all modes have, then what each
// has besides.
func flagTables() string {
	var b strings.Builder
	common := strings.Fields("connections size payload text duration ramp in-flight timeout source header subprotocol insecure ca cert key resume procs pid exec metrics json html fail every")
	for _, command := range newKong(&commandLine{}, io.Discard, nil).Model.Children {
		if command.Hidden {
			continue
		}
		own := slices.DeleteFunc(slices.Clone(command.Flags), func(f *kong.Flag) bool {
			return !slices.Contains([]string{modeCompare, modeAbuse, modeSoak}, command.Name) && slices.Contains(common, f.Name)
		})
		if command.Name == modeEcho {
			shared := slices.DeleteFunc(slices.Clone(command.Flags), func(f *kong.Flag) bool { return !slices.Contains(common, f.Name) })
			flagTable(&b, "All modes but abuse, compare and soak", shared)
		}
		if len(own) > 0 {
			flagTable(&b, "`"+command.Name+"`", own)
		}
	}
	return b.String() + "\n"
}

func flagTable(b *strings.Builder, title string, flags []*kong.Flag) {
	fmt.Fprintf(b, "\n### %s\n\n| flag | default | what it is |\n|---|---|---|\n", title)
	for _, f := range flags {
		name, value := "--"+f.Name, "–"
		if f.PlaceHolder != "" {
			name += " " + f.PlaceHolder
		}
		name = "`" + name + "`"
		if f.Short != 0 {
			name = fmt.Sprintf("`-%c`, %s", f.Short, name)
		}
		if f.HasDefault {
			value = "`" + f.Default + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, value, f.Help)
	}
}

// Every key of the JSON, every kind of error and every metric of --fail is in
// the reference.
func TestReferenceNamesEverything(t *testing.T) {
	text, _, _ := readme(t)
	names := kindNames[:]
	for _, m := range metrics {
		names = append(names, m.name)
	}
	for _, v := range []any{Result{}, Latency{}, Point{}, Loss{}, Moment{}, Usage{}, Sample{}, SystemUsage{}, SystemSample{}, Comparison{}, Cell{}, Verdict{}, Check{}, Soak{}, Flat{}, CrowdCount{}, SoakSample{}} {
		for i := range reflect.TypeOf(v).NumField() {
			if field := reflect.TypeOf(v).Field(i); field.IsExported() {
				key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				names = append(names, key)
			}
		}
	}
	for _, name := range names {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("README.md does not name `%s`", name)
		}
	}
}
