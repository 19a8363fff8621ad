//go:build linux

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gobwas/ws"
)

// hangup has the program read its configuration anew and returns the log line
// with that message.
func (p *program) hangup(t *testing.T, msg string) map[string]any {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	return p.waitFor(t, msg)
}

func TestSIGHUPReloads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "echogate.yaml")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("max-message: 1KiB\n")
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--config", file)
	long := strings.Repeat("x", 100)
	old, _ := dial(t, "ws://"+p.host+"/echo")

	configure("max-message: 99\nlog-level: debug\n")
	p.hangup(t, "configuration reloaded")
	send(t, old, ws.OpText, long)
	wantFrame(t, old, ws.OpText, long)
	young, _ := dial(t, "ws://"+p.host+"/echo")
	send(t, young, ws.OpText, long)
	wantFrame(t, young, ws.OpClose, "\x03\xf1message too big")
	if w, err := http.Get("http://" + p.host + "/nothing"); err == nil {
		w.Body.Close()
	}
	p.waitFor(t, "request refused") // at the new level

	for text, want := range map[string]string{
		"max-mesage: 1\n":    "1: max-mesage: unknown key",
		"loops: 9\n":         "1: loops: cannot change while the gateway runs",
		"log-format: text\n": "1: log-format: cannot change while the gateway runs",
	} {
		configure(text)
		line := p.hangup(t, "new configuration refused, the old one stays")
		if err, _ := line["err"].(string); !strings.Contains(err, want) {
			t.Errorf("%q: refused with %q, want %q", text, err, want)
		}
	}
	again, _ := dial(t, "ws://"+p.host+"/echo")
	send(t, again, ws.OpText, long[:99])
	wantFrame(t, again, ws.OpText, long[:99])
}

// TestReloadOfListen: it is refused under the name by which it was given.
func TestReloadOfListen(t *testing.T) {
	file := origin{fromFile, "a.yaml:1: listen"}
	for want, origins := range map[string]map[string]origin{
		"a.yaml:1: listen": {"listen": file},
		"ECHOGATE_PORT":    {"listen": file, "port": {fromEnvironment, "ECHOGATE_PORT"}},
		"--listen":         nil, // it is no longer given
	} {
		old, c := Config{Listen: []string{":1"}}, Config{Listen: []string{":2"}, origins: origins}
		if err := c.reloads(&old); err == nil || !strings.HasPrefix(err.Error(), want+": cannot change") {
			t.Errorf("got %v, want %s: cannot change…", err, want)
		}
	}
}

// TestReloadNames: each option that cannot change is refused by its name, all of
// them at once.
func TestReloadNames(t *testing.T) {
	old := Config{Listen: []string{":1"}, Admin: adminOff}
	changed := Config{
		Listen: []string{":2"}, Loops: 1, SocketBuffer: 4 << 10, Admin: ":3", AccessLog: true, LogFormat: FormatText,
	}
	err := changed.reloads(&old)
	if err == nil {
		t.Fatal("all of them were taken")
	}
	want := []string{"--listen", "--loops", "--socket-buffer", "--admin", "--access-log", "--log-format"}
	for i, line := range strings.Split(err.Error(), "\n") {
		if i >= len(want) || line != want[i]+": cannot change while the gateway runs: a restart takes it" {
			t.Errorf("got %q, want one of %v, in that order", line, want)
		}
	}
}

// The file of aliases is read anew, and a bad one refused with its line.
func TestSIGHUPReloadsAliases(t *testing.T) {
	file := filepath.Join(t.TempDir(), "aliases")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("/a /echo\n")
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--alias-file", file)
	old, _ := dial(t, "ws://"+p.host+"/a")
	write("/b /echo\n")
	p.hangup(t, "configuration reloaded")
	send(t, old, ws.OpText, "x")
	wantFrame(t, old, ws.OpText, "x")
	young, _ := dial(t, "ws://"+p.host+"/b")
	send(t, young, ws.OpText, "x")
	wantFrame(t, young, ws.OpText, "x")
	if status, _ := dialStatus(t, "ws://"+p.host+"/a", nil); status != 404 {
		t.Errorf("got status %d for an alias that is gone", status)
	}
	write("/b /nowhere\n")
	line := p.hangup(t, "new configuration refused, the old one stays")
	if err, _ := line["err"].(string); !strings.HasPrefix(err, file+":1: ") {
		t.Errorf("refused with %q", err)
	}
}
