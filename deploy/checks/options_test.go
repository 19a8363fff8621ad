package checks

import (
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// help is what the gateway says of its options.
var help = sync.OnceValues(func() (string, error) {
	path, err := gateway()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, "--help").Output()
	return string(out), err
})

func options(t *testing.T) string {
	t.Helper()
	text, err := help()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// accepted fails when the gateway would not take these variables: an unknown one
// it would not even see, a bad value it refuses.
func accepted(t *testing.T, where string, env map[string]string) {
	t.Helper()
	cmd := exec.Command(program(t), "routes")
	cmd.Env = []string{}
	for name, value := range env {
		if !strings.HasPrefix(name, "ECHOGATE_") {
			continue
		}
		if !strings.Contains(options(t), "["+name+"]") {
			t.Errorf("%s sets %s, which is no option of the gateway", where, name)
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if len(cmd.Env) == 0 {
		t.Errorf("%s: no variable of the gateway", where)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", where, err, out)
	}
}

// duration is the default of an option of the gateway.
func duration(t *testing.T, flag string) time.Duration {
	t.Helper()
	// Help texts are wrapped: the default is in the text of the flag, up to the
	// next one.
	_, text, ok := strings.Cut(options(t), flag+"=")
	text, _, _ = strings.Cut(text, "[ECHOGATE_")
	m := regexp.MustCompile(`Default\s+(\S+)\.\s`).FindStringSubmatch(text)
	if !ok || m == nil {
		t.Fatalf("%s: no default in the help text", flag)
	}
	d, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// equal compares what was decoded from JSON.
func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
