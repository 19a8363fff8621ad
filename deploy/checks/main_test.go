package checks

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is where the gateway's program goes.
var built string

// gateway builds the gateway of this repository, once, and returns its program.
var gateway = sync.OnceValues(func() (string, error) {
	program := filepath.Join(built, "echogate")
	cmd := exec.Command("go", "build", "-o", program, "./gateway")
	cmd.Dir = "../.."
	cmd.Stderr = os.Stderr
	return program, cmd.Run()
})

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "echogate-checks-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(built)
	return m.Run()
}

func program(t *testing.T) string {
	t.Helper()
	path, err := gateway()
	if err != nil {
		t.Fatalf("go build ./gateway: %v", err)
	}
	return path
}

// tool finds a program that these tests run. Without it the test is skipped, or
// fails where all have to be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("ECHOGATE_TEST_DEPLOY") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}
