package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// samples are three values of a flag, each unlike the one before.
func samples(flag *kong.Flag) [3]string {
	switch flag.Target.Interface().(type) {
	case Size:
		return [3]string{"1KiB", "2KiB", "3KiB"}
	case int:
		return [3]string{"1", "2", "3"}
	case []string:
		return [3]string{"a:1", "b:2", "c:3"}
	case bool:
		return [3]string{"true", "false", "true"}
	case Format:
		return [3]string{"text", "json", "auto"}
	case Switch:
		return [3]string{"off", "on", "off"}
	case ClientAuth:
		return [3]string{"optional", "require", "off"}
	case ClientHeader:
		return [3]string{"forwarded", "x-real-ip", "off"}
	case slog.Level:
		return [3]string{"debug", "warn", "error"}
	}
	return [3]string{"1s", "2s", "3s"} // durations
}

// TestPrecedence gives every flag by every set of sources: the most important
// of them holds, and is the one that messages would name.
func TestPrecedence(t *testing.T) {
	for _, flag := range options(newParser(&commandLine{}, io.Discard, nil)) {
		if flag.Name == "config" {
			continue // is not in the file it names
		}
		v := samples(flag)
		for set := range 8 {
			file, env, args := "", map[string]string{}, []string(nil)
			value, name := flag.Default, "--"+flag.Name
			if set&1 != 0 {
				file, value, name = flag.Name+": "+v[0], v[0], "file.yaml:1: "+flag.Name
			}
			if set&2 != 0 {
				name = "ECHOGATE_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
				env[name], value = v[1], v[1]
			}
			if set&4 != 0 {
				args, value, name = []string{"--" + flag.Name + "=" + v[2]}, v[2], "--"+flag.Name
			}
			t.Run(fmt.Sprintf("%s/%03b", flag.Name, set), func(t *testing.T) {
				precedence(t, flag.Name, file, env, args, value, name)
			})
		}
	}
}

// precedence parses, without check, and compares the value and its name.
func precedence(t *testing.T, flag, file string, env map[string]string, args []string, value, name string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file.yaml", []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	line := &commandLine{env: lookup(env)}
	k := newParser(line, io.Discard, nil)
	if _, err := k.Parse(append(args, "--config=file.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, f := range options(k) {
		if got := fmt.Sprint(f.Target.Interface()); f.Name == flag && got != printed(t, f, value) {
			t.Errorf("got %s, want %s", got, printed(t, f, value))
		}
	}
	if got := line.named(flag); got != name {
		t.Errorf("got the name %q, want %q", got, name)
	}
}

// printed is the form in which a flag's value is printed once it is parsed.
func printed(t *testing.T, flag *kong.Flag, text string) string {
	t.Helper()
	v := reflect.New(flag.Target.Type()).Elem()
	if text != "" {
		scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
		if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, v); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprint(v.Interface())
}

// lookup is an environment of its own.
func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

func TestGoodFiles(t *testing.T) {
	load := func(name string) *Config {
		t.Helper()
		_, c, err := parse([]string{"--config", filepath.Join("testdata/config", name)}, lookup(nil), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	same := func(name string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	_, defaults, err := parse(nil, lookup(nil), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"all.yaml", "empty.yaml"} {
		c := load(name)
		c.File, c.origins = "", defaults.origins
		same(name, *c, *defaults)
	}
	c := load("lists.yaml")
	same("listen", c.Listen, "[:9001 [::1]:9002 localhost:0]")
	same("origin", c.Origin, "[https://example.com http://[::1]:8080 null]")
	same("alias", c.MaxBuffered, "64KiB")
	same("port", load("port.yaml").Listen, "[:7000]")
}

// TestAllKeys keeps all.yaml complete: it is what people copy from.
func TestAllKeys(t *testing.T) {
	data, err := os.ReadFile("testdata/config/all.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range options(newParser(&commandLine{}, io.Discard, nil)) {
		if flag.Name == "config" || flag.Name == "port" {
			continue // the file does not name another; listen is there
		}
		if !strings.Contains(string(data), "\n"+flag.Name+": ") {
			t.Errorf("all.yaml lacks %s", flag.Name)
		}
	}
}

// TestBadFiles compares whole messages, for every bad file there is.
func TestBadFiles(t *testing.T) {
	want := map[string]string{
		"unknown":   ":1: max-mesage: unknown key: accepted are log-level, log-format, listen, port,",
		"duplicate": ":3: loops: is there already, in line 1: accepted is each key once",
		"size":      `:2: max-message: "large" is not a size: accepted are bytes as 65536, 64KiB,`,
		"list":      ":1: loops: a list: accepted is one value",
		"mapping":   ":1: listen: a mapping: accepted is a value or a list of values",
		"nested":    ":1: listen: a list in the list, line 2: accepted are values",
		"novalue":   ":2: max-message: no value: accepted is one value",
		"scalar":    ":1: a value: accepted are lines of key: value",
		"syntax":    ":2: mapping values are not allowed in this context",
		"second":    ":2: a second document: accepted is one",
		"config":    ":1: config: unknown key: accepted are log-level,",
		"order":     ":1: high-water 8KiB: accepted are 1 byte to less than that",
		"both":      ":1: port and testdata/config/bad-both.yaml:2: listen: accepted is one of them",
		"tab":       ":2: found a tab character that violates indentation",
	}
	files, err := filepath.Glob("testdata/config/bad-*.yaml")
	if err != nil || len(files) != len(want) {
		t.Fatalf("got %d files, %v; want %d", len(files), err, len(want))
	}
	for _, path := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "bad-"), ".yaml")
		_, _, err := parse([]string{"--config", path}, lookup(nil), io.Discard)
		if err == nil || want[name] == "" || !strings.Contains(err.Error(), path+want[name]) {
			t.Errorf("%s: got %v, want %s%s…", name, err, path, want[name])
		}
	}
}
