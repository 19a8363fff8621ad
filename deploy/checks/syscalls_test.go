package checks

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSystemdSystemCalls: what the gateway asks of the kernel from its start over
// load, the admin port and a drain to its end passes the unit's filter. Nothing
// else would say so before a service that cannot start.
func TestSystemdSystemCalls(t *testing.T) {
	allowed := filtered(t, readFile(t, "../systemd/echogate.service"))
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(tool(t, "strace"), "-f", "-qq", "-o", trace, "--", program(t),
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json", "--access-log", "--drain", "100ms")
	s := listening(t, spawn(t, cmd))
	for _, c := range connectAll(t, direct, s.addrs[0], 10) {
		if err := c.echo("traced"); err != nil {
			t.Fatal(err)
		}
	}
	get(t, direct, s.admin, "/metrics")
	get(t, direct, s.admin, "/debug/pprof/profile?seconds=1") // Go's profiler has timers of its own
	_ = syscall.Kill(-s.Process.Pid, syscall.SIGHUP)
	eventually(t, "the configuration was read anew", func() bool { return strings.Contains(strings.Join(s.lines(), "\n"), "configuration") })
	s.stop()
	used := map[string]bool{}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(string(text), -1) {
		used[m[1]] = true
	}
	for _, needed := range []string{"epoll_pwait", "timer_create"} {
		if !used[needed] {
			t.Errorf("the trace has %d calls, and no %s", len(used), needed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !allowed[name] {
			t.Errorf("the gateway calls %s, which the unit does not allow", name)
		}
	}
	t.Logf("%d system calls, all allowed: %v", len(used), slices.Sorted(maps.Keys(used)))
}

// filtered are the system calls that a unit's SystemCallFilter= lines allow: the
// first one begins the list, later ones add, or take away after a ~.
func filtered(t *testing.T, unit string) map[string]bool {
	t.Helper()
	allowed := systemCalls(t, "@default") // always there
	for _, m := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(unit, -1) {
		for _, word := range strings.Fields(m[2]) {
			for name := range systemCalls(t, word) {
				if m[1] == "~" {
					delete(allowed, name)
				} else {
					allowed[name] = true
				}
			}
		}
	}
	return allowed
}

// systemCalls are the calls of a set of systemd's, sets in it included, or the
// one call of that name.
func systemCalls(t *testing.T, word string) map[string]bool {
	t.Helper()
	if !strings.HasPrefix(word, "@") {
		return map[string]bool{word: true}
	}
	out, err := exec.Command(tool(t, "systemd-analyze"), "syscall-filter", word).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, line := range strings.Split(string(out), "\n") {
		name, indented := strings.CutPrefix(line, "    ")
		if indented && !strings.HasPrefix(name, "#") {
			maps.Copy(all, systemCalls(t, strings.TrimSpace(name)))
		}
	}
	return all
}
