package checks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSysctl: every line says before it what it is for and what it costs, and is
// a setting that the kernel has and would take: as many numbers as there are.
func TestSysctl(t *testing.T) {
	reason, settings := "", 0
	for _, line := range strings.Split(readFile(t, "../sysctl.d/90-echogate.conf"), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			reason += line
			continue
		case line == "":
			reason = ""
			continue
		}
		settings++
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Errorf("%q is no setting", line)
			continue
		}
		if !strings.Contains(reason, "Cost at 1M") {
			t.Errorf("%s: no reason with its cost before it", key)
		}
		file := filepath.Join("/proc/sys", strings.ReplaceAll(strings.TrimPrefix(key, "-"), ".", "/"))
		now, err := os.ReadFile(file)
		if os.IsNotExist(err) && strings.HasPrefix(key, "-") {
			continue // belongs to what this kernel has not
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if got, want := len(strings.Fields(value)), len(strings.Fields(string(now))); got != want {
			t.Errorf("%s: %d numbers, the kernel has %d", key, got, want)
		}
	}
	if settings < 8 {
		t.Errorf("only %d settings were read", settings)
	}
}
