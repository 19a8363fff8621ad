package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	is := func(want string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		// The variable is bad: only who must answer all the same may not read it.
		env := map[string]string{}
		if want == commandVersion || want == commandHelp {
			env["ECHOGATE_LOOPS"] = "x"
		}
		got, c, err := parse(args, lookup(env), &out)
		if got != want || c == nil || err != nil {
			t.Errorf("%q: got %q, %v, %v; want %q", args, got, c, err, want)
		}
		if (out.Len() > 0) != (want == commandHelp) {
			t.Errorf("%q: got output %q", args, &out)
		}
	}
	is(commandServe)
	is(commandServe, "serve")
	is(commandServe, "-p", "1")
	is(commandServe, "serve", "-p", "1")
	is(commandRoutes, "routes")
	is(commandVersion, "version")
	is(commandHelp, "--help")
	is(commandHelp, "-h")
	is(commandHelp, "routes", "--help")
	is(commandHelp, "--config=nowhere.yaml", "--help")
}

// TestHelp: --help is the whole reference.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var out bytes.Buffer
	if _, _, err := parse([]string{"--help"}, lookup(nil), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	words := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"Usage: echogate <command> [flags]",
		"serve Serve the routes until a signal comes. The default.",
		"-p, --port=N The same as --listen :N; not together with --listen. [ECHOGATE_PORT]",
		"--listen=ADDR,... Address to listen on, repeatable: host:port, :port (IPv4 and IPv6), [::1]:port, unix:/path or unix:@name; behind it ?option=value&option=value. Default :9998. [ECHOGATE_LISTEN]",
		"The command line comes before the environment, the environment before the file,",
		"Exit codes 0 stopped as asked; healthcheck: healthy 1 a listener died, or a second signal cut; healthcheck: anything but healthy 2 what was asked cannot be had: a bad command line or configuration,",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("help lacks %q", want)
		}
	}
	for _, line := range lines {
		if len(line) > 100 {
			t.Errorf("%d characters wide: %s", len(line), line)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestFlags: every flag has what the reference needs to say of it, and is in it.
func TestFlags(t *testing.T) {
	var out bytes.Buffer
	if _, _, err := parse([]string{"--help"}, lookup(nil), &out); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, flag := range options(newParser(&commandLine{}, io.Discard, nil)) {
		if flag.Help == "" || !strings.HasSuffix(flag.Help, ".") {
			t.Errorf("--%s: help %q is not a sentence", flag.Name, flag.Help)
		}
		if flag.Group == nil || flag.PlaceHolder == "" && !flag.IsBool() || flag.Hidden {
			t.Errorf("--%s has no group or no placeholder, or is hidden", flag.Name)
		}
		name := "ECHOGATE_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if variable(flag.Name) != name || seen[name] || !strings.Contains(out.String(), "["+name+"]") {
			t.Errorf("--%s: variable %s is missing in the help or used twice", flag.Name, name)
		}
		seen[name] = true
		if len(flag.Envs) > 0 {
			t.Errorf("--%s: kong would read %v past the caller's environment", flag.Name, flag.Envs)
		}
	}
}
