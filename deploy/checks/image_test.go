package checks

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// hardened is how the image can be run: nothing of it needs more.
var hardened = []string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "128m"}

// run starts the image, hardened, inside n. Flags of docker run come first, the
// gateway's own after "--".
func (n network) run(t *testing.T, args ...string) container {
	t.Helper()
	return start(t, n.line(t, args...)...)
}

func (n network) line(t *testing.T, args ...string) []string {
	t.Helper()
	line := append([]string{"--network", "container:" + n.id}, hardened...)
	own := false
	for _, arg := range args {
		if arg == "--" {
			own = true
			line = append(line, repository(t)+":buildkit")
			continue
		}
		line = append(line, arg)
	}
	if !own {
		line = append(line, repository(t)+":buildkit")
	}
	return line
}

// serving waits until the gateway inside n echoes.
func (n network) serving(t *testing.T) *client {
	t.Helper()
	var c *client
	eventually(t, "the container echoes", func() (ok bool) {
		var err error
		c, err = connect(n.dial, publicAddr)
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	if err := c.echo("This is a message"); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestImageConfig: both builders make the same image of the Dockerfile, and it
// says of itself what an engine needs to know.
func TestImageConfig(t *testing.T) {
	type config struct {
		User         string
		ExposedPorts map[string]struct{}
		Env          []string
		Entrypoint   []string
		Cmd          []string
		StopSignal   string
		Labels       map[string]string
		Healthcheck  struct{ Test []string }
	}
	repo := repository(t)
	for _, tag := range []string{"legacy", "buildkit", "arm64"} {
		t.Run(tag, func(t *testing.T) {
			var images []struct {
				Architecture string
				Os           string
				Size         int64
				Config       config
			}
			if err := json.Unmarshal([]byte(mustDocker(t, "image", "inspect", repo+":"+tag)), &images); err != nil {
				t.Fatal(err)
			}
			const limit = 15 << 20
			t.Logf("size %.1f MiB, at most %d", float64(images[0].Size)/(1<<20), limit>>20)
			if images[0].Size > limit {
				t.Errorf("the image has %d bytes, at most %d are allowed", images[0].Size, limit)
			}
			c := images[0].Config
			for _, x := range []struct {
				what      string
				got, want any
			}{
				{"user", c.User, "65532:65532"},
				{"ports", c.ExposedPorts, map[string]struct{}{"9998/tcp": {}, "9999/tcp": {}}},
				{"entry point", c.Entrypoint, []string{"/echogate"}},
				{"arguments", len(c.Cmd), 0},
				{"stop signal", c.StopSignal, "SIGTERM"},
				{"health check", c.Healthcheck.Test, []string{"CMD", "/echogate", "healthcheck"}},
				{"title", c.Labels["org.opencontainers.image.title"], "echogate"},
				{"version", c.Labels["org.opencontainers.image.version"], os.Getenv("ECHOGATE_TEST_IMAGE_VERSION")},
				{"licences", c.Labels["org.opencontainers.image.licenses"], "MIT"},
			} {
				if !reflect.DeepEqual(x.got, x.want) {
					t.Errorf("%s: got %v, want %v", x.what, x.got, x.want)
				}
			}
			if !strings.Contains(strings.Join(c.Env, " ")+" ", "ECHOGATE_ADMIN=:9999 ") {
				t.Errorf("environment: got %v, want ECHOGATE_ADMIN=:9999 in it", c.Env)
			}
		})
	}
}

// TestImageProgram: the program is linked statically, for the architecture that
// was asked for, and alone in its image.
func TestImageProgram(t *testing.T) {
	repo := repository(t)
	for tag, machine := range map[string]elf.Machine{"buildkit": host(), "legacy": host(), "arm64": elf.EM_AARCH64} {
		t.Run(tag, func(t *testing.T) {
			c := create(t, repo+":"+tag)
			file := filepath.Join(t.TempDir(), "echogate")
			mustDocker(t, "cp", c.id+":/echogate", file)
			program, err := elf.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			if program.Machine != machine {
				t.Errorf("got a program for %v, want %v", program.Machine, machine)
			}
			if libraries, err := program.ImportedLibraries(); len(libraries) > 0 || program.Section(".interp") != nil {
				t.Errorf("the program is linked to %v (%v), want none", libraries, err)
			}
			if layers := mustDocker(t, "image", "inspect", "--format", "{{len .RootFS.Layers}}", repo+":"+tag); layers != "1" {
				t.Errorf("got %s layers, want the one of the program", layers)
			}
		})
	}
}

// host is this machine's architecture, as the test itself was built for it.
func host() elf.Machine {
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	defer self.Close()
	return self.Machine
}

func TestImageVersion(t *testing.T) {
	got := mustDocker(t, "run", "--rm", "--network", "none", repository(t)+":buildkit", "version")
	if want := "echogate " + os.Getenv("ECHOGATE_TEST_IMAGE_VERSION") + ","; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q in front", got, want)
	}
}

// TestImageRuns: as nobody, with a root that cannot be written to and no
// capability, and the engine sees that it is healthy.
func TestImageRuns(t *testing.T) {
	n := newNetwork(t)
	c := n.run(t)
	n.serving(t)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.state(t).Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532\n", "Gid:\t65532\t65532\t65532\t65532\n", "CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n"} {
		if !bytes.Contains(status, []byte(want)) {
			t.Errorf("the process is not %q", want)
		}
	}
	eventually(t, "docker ps shows the container as healthy", func() bool {
		return mustDocker(t, "ps", "--quiet", "--no-trunc", "--filter", "health=healthy", "--filter", "id="+c.id) == c.id
	})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200} {
		if got, _ := get(t, n.dial, adminAddr, path); got != want {
			t.Errorf("%s: got status %d, want %d", path, got, want)
		}
	}
}

// TestImageHealthcheck: docker knows the exit codes 0 and 1 and no other.
func TestImageHealthcheck(t *testing.T) {
	n := newNetwork(t)
	// Nobody listens on the admin port in there.
	c := start(t, n.line(t, "--", "healthcheck")...)
	if code := mustDocker(t, "wait", c.id); code != "1" {
		t.Errorf("without a gateway: got exit code %s, want 1", code)
	}
	c = n.run(t)
	n.serving(t)
	mustDocker(t, "exec", c.id, "/echogate", "healthcheck")
	// A process that stands still answers nobody: the check has to give up.
	mustDocker(t, "pause", c.id)
	other := start(t, n.line(t, "--", "healthcheck")...)
	if code := mustDocker(t, "wait", other.id); code != "1" {
		t.Errorf("with a gateway that stands still: got exit code %s, want 1", code)
	}
	mustDocker(t, "unpause", c.id)
}

// TestImageDrains: docker stop sends SIGTERM; every client gets its 1001 within
// the engine's grace time of 10 s, and the process ends by itself.
func TestImageDrains(t *testing.T) {
	n := newNetwork(t)
	c := n.run(t)
	n.serving(t)
	all := connectAll(t, n.dial, publicAddr, 1000)
	each(t, all, func(c *client) error { return c.echo("here") })
	stopped := make(chan error, 1)
	begin := time.Now()
	go func() {
		_, err := docker("stop", "--time", "10", c.id)
		stopped <- err
	}()
	each(t, all, func(c *client) error {
		code, err := c.closeCode()
		if err == nil && code != ws.StatusGoingAway {
			err = fmt.Errorf("got close code %d, want 1001", code)
		}
		return err
	})
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped %d connections in %v", len(all), time.Since(begin).Round(time.Millisecond))
	if s := c.state(t); s.Running || s.ExitCode != 0 {
		t.Errorf("after docker stop: running %v, exit code %d; want a process that ended with 0", s.Running, s.ExitCode)
	}
}

// TestImageStartsFast: from the process to its first echo at most 100 ms, and
// ten times that on a machine that does other things too.
func TestImageStartsFast(t *testing.T) {
	const limit = 100 * time.Millisecond
	n := newNetwork(t)
	c := create(t, n.line(t)...)
	first := make(chan time.Duration, 1)
	go func() {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			client, err := connect(n.dial, publicAddr)
			if err != nil {
				continue
			}
			err = client.echo("first")
			at := sinceBoot()
			client.Close()
			if err == nil {
				first <- at
				return
			}
		}
		close(first)
	}()
	mustDocker(t, "start", c.id)
	at, ok := <-first
	if !ok {
		t.Fatal("no echo")
	}
	took := at - startedAt(t, c.state(t).Pid)
	t.Logf("first echo %v after the process, at most %v (ceiling ten times that)", took.Round(time.Millisecond), limit)
	if took > 10*limit {
		t.Errorf("first echo after %v, the ceiling is %v", took, 10*limit)
	}
}

func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// startedAt is when a process began, as /proc has it: in hundredths of a second
// from boot, rounded down, the container's own set-up included.
func startedAt(t *testing.T, pid int) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is the name in brackets and may have spaces in it.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	var ticks int64
	if _, err := fmt.Sscan(fields[19], &ticks); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ticks) * time.Second / 100
}
