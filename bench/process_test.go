package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openProcess(t *testing.T, pid int, metrics string) *Process {
	t.Helper()
	p, err := OpenProcess(pid, metrics)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sample(t *testing.T, p *Process) Sample {
	t.Helper()
	s, err := p.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProcessOurselves(t *testing.T) {
	p := openProcess(t, os.Getpid(), "")
	debug.FreeOSMemory() // what earlier tests left must not go in the middle
	before := sample(t, p)
	// Memory of the kernel's: what Go's heap hands out may be resident already.
	block, err := unix.Mmap(-1, 0, 32<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(block)
	for own := processCPU(); processCPU() < own+30*time.Millisecond; {
	}
	end := sample(t, p)
	u := NewUsage(before, before, end, 1000, 1000)
	if u.Delta.RSS < 24<<20 || u.Delta.PSS < 24<<20 || u.RSSPerConnection < 24<<10 {
		t.Errorf("rss grew by %d, pss by %d, %v per connection, want about 32 MiB and 32 KiB", u.Delta.RSS, u.Delta.PSS, u.RSSPerConnection)
	}
	if u.Delta.CPU < Seconds(30*time.Millisecond) || u.CPUPerMessage < 30 || u.Cores <= 0 {
		t.Errorf("cpu %v, %v µs per message, %v cores, want 30 ms and 30 µs at least", time.Duration(u.Delta.CPU), u.CPUPerMessage, u.Cores)
	}
	if end.Threads < 1 || end.Descriptors < 3 || end.Voluntary < 1 || len(end.Missing) != 0 {
		t.Errorf("threads %d, descriptors %d, switches %d, missing %q", end.Threads, end.Descriptors, end.Voluntary, end.Missing)
	}
	if rss, err := p.RSS(); err != nil || rss < 24<<20 {
		t.Errorf("RSS is %d, %v", rss, err)
	}
}

// child is a shell under a name that is a trap for those who split
// /proc/PID/stat at its spaces. It answers each line with one.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	answer *bufio.Reader
}

func startChild(t *testing.T, script string) *child {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(t.TempDir(), "a) S 1 (b")
	if err := os.Symlink(shell, odd); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(odd, "-c", script)}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.answer = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	return c
}

func (c *child) step(t *testing.T) {
	t.Helper()
	fmt.Fprintln(c.in)
	if _, err := c.answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

func TestProcessChild(t *testing.T) {
	c := startChild(t, `
		read x; echo ready
		read x; exec 5</dev/null 6</dev/null 7</dev/null
		x=$(head -c 8388608 /dev/zero | tr '\0' x)
		i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
		echo done
		read x`)
	c.step(t)
	p := openProcess(t, c.cmd.Process.Pid, "")
	before := sample(t, p)
	c.step(t)
	end := sample(t, p)
	u := NewUsage(before, before, end, 1, 1)
	if u.Delta.Descriptors != 3 || u.Delta.RSS < 8<<20 || u.Delta.CPU <= 0 || u.Delta.CPU > Seconds(time.Minute) || end.Threads != 1 {
		t.Errorf("the child grew by %+v, want 3 descriptors, 8 MiB, some CPU time; threads %d, want 1", u.Delta, end.Threads)
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.cmd.Wait()
	want := fmt.Sprintf("bench: process %d has ended", c.cmd.Process.Pid)
	if _, err := p.Sample(t.Context()); err == nil || err.Error() != want {
		t.Errorf("Sample of the dead says %v, want %q", err, want)
	}
	if _, err := p.RSS(); err == nil || err.Error() != want {
		t.Errorf("RSS of the dead says %v, want %q", err, want)
	}
	if _, err := OpenProcess(c.cmd.Process.Pid, ""); err == nil || err.Error() != want {
		t.Errorf("OpenProcess of the dead says %v, want %q", err, want)
	}
}

func TestProcessNumberTakenAgain(t *testing.T) {
	p := openProcess(t, os.Getpid(), "")
	p.started = "1" // as if it had been an older process of this number
	if _, err := p.Sample(t.Context()); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("Sample of another process says %v, want that it has ended", err)
	}
}

func TestProcessHeap(t *testing.T) {
	tests := []struct {
		name, path string
		heap       int64
		missing    []string
	}{
		{"in use", "/inuse", 123456789, nil},
		{"objects", "/objects", 42, nil},
		{"none", "/none", 0, []string{"heap: URL/none has no go_memstats_heap_inuse_bytes and no go_memory_classes_heap_objects_bytes"}},
		{"not found", "/404", 0, []string{"heap: URL/404 answers 404 Not Found"}},
	}
	mux := http.NewServeMux()
	serve := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	}
	serve("/inuse", "# TYPE x gauge\ngo_memory_classes_heap_objects_bytes 42\ngo_memstats_heap_inuse_bytes 1.23456789e+08\n")
	serve("/objects", "go_memory_classes_heap_objects_bytes 42\n")
	serve("/none", "go_goroutines 7\n")
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := sample(t, openProcess(t, os.Getpid(), srv.URL+test.path))
			for i := range s.Missing {
				s.Missing[i] = strings.ReplaceAll(s.Missing[i], srv.URL, "URL")
			}
			if s.Heap != test.heap || !slices.Equal(s.Missing, test.missing) {
				t.Errorf("heap %d, missing %q, want %d, %q", s.Heap, s.Missing, test.heap, test.missing)
			}
		})
	}
}

func TestSystem(t *testing.T) {
	before := SampleSystem()
	srv := httptest.NewServer(nil)
	defer srv.Close()
	end := SampleSystem()
	if len(end.Missing) != 0 || end.Slab <= 0 || end.Sockets < 1 {
		t.Errorf("%+v, want sockets, slab, nothing missing", end)
	}
	before.Slab = end.Slab - 4e6
	if u := NewSystemUsage(before, end, 2000); u.SlabPerConnection != 2000 {
		t.Errorf("slab per connection %v, want 2000", u.SlabPerConnection)
	}
	if u := NewSystemUsage(before, end, 2); u.SlabPerConnection != 0 {
		t.Errorf("slab per each of two connections %v, want that it is unknown", u.SlabPerConnection)
	}
}

func TestUsage(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	before := Sample{At: at, CPU: Seconds(time.Second), RSS: 5e6, PSS: 1e6, Descriptors: 10, Voluntary: 100}
	start := Sample{At: at.Add(time.Second), CPU: Seconds(3 * time.Second), RSS: 8e6, PSS: 4e6, Descriptors: 2010, Voluntary: 200}
	end := Sample{At: at.Add(3 * time.Second), CPU: Seconds(4 * time.Second), RSS: 9e6, PSS: 5e6, Heap: 7000, Descriptors: 2010, Voluntary: 500, Involuntary: 100}
	type figures struct{ cores, cpu, switches, rss, pss, heap float64 }
	tests := []struct {
		name                  string
		end                   Sample
		connections, messages int64
		want                  figures
	}{
		{"all", end, 2000, 4000, figures{0.5, 250, 0.1, 2000, 2000, 0}},
		{"few connections", end, 999, 4000, figures{0.5, 250, 0.1, 0, 0, 0}},
		{"few messages", end, 2000, 1999, figures{0.5, 0, 0, 2000, 2000, 0}},
		{"no messages", end, 0, 0, figures{cores: 0.5}},
		{"ended", Sample{At: end.At}, 2000, 4000, figures{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := NewUsage(before, start, test.end, test.connections, test.messages)
			got := figures{u.Cores, u.CPUPerMessage, u.SwitchesPerMessage, u.RSSPerConnection, u.PSSPerConnection, u.HeapPerConnection}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
