package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The ports of the image, as its Dockerfile has them.
const (
	publicAddr = "127.0.0.1:9998"
	adminAddr  = "127.0.0.1:9999"
)

// repository is the name under which .ci/image has built the images; without it
// there is nothing to test. Its tags are legacy and buildkit, for Docker's two
// builders, and arm64.
func repository(t *testing.T) string {
	t.Helper()
	name := os.Getenv("ECHOGATE_TEST_IMAGE")
	if name == "" {
		t.Skip("no image: .ci/image builds it and runs these tests")
	}
	return name
}

// docker runs the client and returns what it printed.
func docker(args ...string) (string, error) {
	out, err := exec.Command("docker", args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("docker %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return text, nil
}

func mustDocker(t *testing.T, args ...string) string {
	t.Helper()
	text, err := docker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A container is removed when its test ends.
type container struct{ id string }

// start creates and starts a container of what args of docker run say.
func start(t *testing.T, args ...string) container {
	t.Helper()
	c := create(t, args...)
	mustDocker(t, "start", c.id)
	return c
}

func create(t *testing.T, args ...string) container {
	t.Helper()
	c := container{mustDocker(t, append([]string{"create"}, args...)...)}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := docker("logs", c.id)
			t.Logf("log of the container:\n%s", text)
		}
		if _, err := docker("rm", "--force", c.id); err != nil {
			t.Error(err)
		}
	})
	return c
}

// state is what the engine knows of a container that runs, or ran.
type state struct {
	Running   bool
	OOMKilled bool
	Pid       int
	ExitCode  int
}

func (c container) state(t *testing.T) (s state) {
	t.Helper()
	text := mustDocker(t, "inspect", "--format", "{{json .State}}", c.id)
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// network is a network namespace with a loopback and nothing else, in which the
// ports of the image are free whatever else runs on this machine.
type network struct {
	id   string
	file string
}

// newNetwork keeps the namespace by a container that sleeps in it: those of the
// image come and go.
func newNetwork(t *testing.T) network {
	t.Helper()
	repository(t) // without an image there is nothing to join
	c := start(t, "--network", "none", "--entrypoint", "/bin/busybox", "golang:1.26-bookworm", "sleep", "3600")
	return network{c.id, fmt.Sprintf("/proc/%d/ns/net", c.state(t).Pid)}
}

// dial opens a connection inside the namespace: a socket belongs to the one that
// its thread was in, and the thread ends with the goroutine that is locked to it.
func (n network) dial(ctx context.Context, netw, addr string) (c net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var f *os.File
		if f, err = os.Open(n.file); err != nil {
			return
		}
		defer f.Close()
		if err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err == nil {
			c, err = direct(ctx, netw, addr)
		}
	}()
	<-done
	return c, err
}
