package checks

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// units copies the unit files to where the program that they start exists.
func units(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	all, err := filepath.Glob("../systemd/*")
	if err != nil || len(all) != 3 {
		t.Fatalf("got %v (%v), want the service and its two sockets", all, err)
	}
	for _, name := range all {
		text := readFile(t, name)
		if strings.HasSuffix(name, ".service") {
			text = replaced(t, text, "/usr/local/bin/echogate", program(t))
		}
		file := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return dir, files
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// replaced is text with another value, which it must have had.
func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the file any more", old)
	}
	return strings.ReplaceAll(text, old, new)
}

// setting is the value of the only line of that name in a unit file.
func setting(t *testing.T, text, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(text, -1)
	if len(m) != 1 {
		t.Fatalf("got %d lines %s=, want one", len(m), name)
	}
	return m[0][1]
}

// TestSystemdVerify: systemd knows every section and directive, and finds
// nothing to complain about.
func TestSystemdVerify(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	_, files := units(t)
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestSystemdExposure: what systemd's own scale of 0 to 10 counts against the
// service stays below 2; what is left is the network, which it is for.
func TestSystemdExposure(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	dir, _ := units(t)
	out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", "--no-pager", filepath.Join(dir, "echogate.service")).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestSystemdSockets: the gateway takes the sockets of the units, by the names
// that they have there, and leaves its own addresses alone.
func TestSystemdSockets(t *testing.T) {
	activate := tool(t, "systemd-socket-activate")
	public, admin := freeAddr(t), freeAddr(t)
	names := setting(t, readFile(t, "../systemd/echogate.socket"), "FileDescriptorName") + ":" +
		setting(t, readFile(t, "../systemd/echogate-admin.socket"), "FileDescriptorName")
	p := spawn(t, exec.Command(activate, "--listen", public, "--listen", admin, "--fdname", names,
		program(t), "--log-format", "json", "--drain", "100ms"))
	eventually(t, "the sockets are there, and the first client starts the gateway", func() bool {
		c, err := connect(direct, public)
		if err != nil {
			return false
		}
		defer c.Close()
		return c.echo("activated") == nil
	})
	start := p.entries("listening")[0]
	if got, want := start["addrs"], []any{public}; !equal(got, want) {
		t.Errorf("public: got %v, want %v", got, want)
	}
	if got, want := start["admin"], []any{admin}; !equal(got, want) {
		t.Errorf("admin: got %v, want %v", got, want)
	}
}

// TestSystemdService: the times and limits of the unit go with the gateway's.
func TestSystemdService(t *testing.T) {
	text := readFile(t, "../systemd/echogate.service")
	if got := setting(t, text, "RestartPreventExitStatus"); got != "2" {
		t.Errorf("a bad configuration is exit code 2, not %s", got)
	}
	drain := duration(t, "--drain-timeout")
	if got, err := strconv.Atoi(setting(t, text, "TimeoutStopSec")); err != nil || float64(got) <= drain.Seconds() {
		t.Errorf("systemd kills after %d s (%v), a drain takes %v", got, err, drain)
	}
	for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(text, -1) {
		name, value, _ := strings.Cut(line[1], "=")
		accepted(t, "echogate.service", map[string]string{name: value})
	}
	for _, line := range regexp.MustCompile(`ECHOGATE_[A-Z_]+=\w+`).FindAllString(text, -1) {
		name, value, _ := strings.Cut(line, "=")
		accepted(t, "echogate.service, in a comment", map[string]string{name: value})
	}
}
