package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Sample is what one process, or several together, used up to now and hold
// now. A figure that could not be read is 0 and named in Missing.
type Sample struct {
	At          time.Time `json:"at,omitzero"`
	CPU         Seconds   `json:"cpu_s"` // user and system, to the nanosecond
	User        Seconds   `json:"user_s"`
	System      Seconds   `json:"system_s"`
	RSS         int64     `json:"rss_bytes"`
	PSS         int64     `json:"pss_bytes,omitempty"`
	Heap        int64     `json:"heap_bytes,omitempty"` // of Go, when its /metrics answers
	Goroutines  int64     `json:"goroutines,omitempty"` // the same
	Descriptors int64     `json:"descriptors"`
	Threads     int64     `json:"threads"`
	Voluntary   int64     `json:"voluntary_switches"` // of the threads that live now
	Involuntary int64     `json:"involuntary_switches"`
	Missing     []string  `json:"missing,omitempty"` // what could not be read, and why
}

// Process is a process that figures are read of. It may be used by several
// goroutines.
type Process struct {
	pid     int
	metrics string
	started string // in the kernel's words; tells it from a later one of its number
}

// OpenProcess finds the process pid. metrics is the URL of its Prometheus
// metrics, where its Go heap is looked up; "" if it has none.
func OpenProcess(pid int, metrics string) (*Process, error) {
	p := &Process{pid: pid, metrics: metrics}
	st, err := p.stat()
	if err != nil {
		return nil, err
	}
	p.started = st.started
	return p, nil
}

// Sample reads all figures. It asks the kernel to walk the process's pages and
// threads, and waits for /metrics: for the begin and the end of a run.
func (p *Process) Sample(ctx context.Context) (Sample, error) {
	s := Sample{At: time.Now()}
	st, err := p.stat()
	if err != nil {
		return Sample{}, err
	}
	s.User, s.System, s.Threads, s.RSS = st.user, st.system, st.threads, st.rss
	if s.CPU, err = p.cpu(); err != nil {
		return Sample{}, err
	}
	miss := func(what string, err error) {
		if err != nil {
			s.Missing = append(s.Missing, what+": "+reason(err))
		}
	}
	rss, pss, err := p.memory()
	miss("pss", err)
	if err == nil {
		s.RSS, s.PSS = rss, pss
	}
	s.Descriptors, err = p.descriptors()
	miss("descriptors", err)
	s.Voluntary, s.Involuntary, err = p.switches()
	miss("context switches", err)
	if p.metrics != "" {
		s.Heap, s.Goroutines, err = goRuntime(ctx, p.metrics)
		miss("heap", err)
	}
	return s, nil
}

// RSS reads the resident memory alone, which is cheap enough for every second.
func (p *Process) RSS() (int64, error) {
	st, err := p.stat()
	return st.rss, err
}

// reason is err without the path: a Missing names the figure already.
func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

func (p *Process) file(name string) string {
	return "/proc/" + strconv.Itoa(p.pid) + "/" + name
}

// gone is the error of a figure that only a living process has.
func (p *Process) gone() error {
	return fmt.Errorf("bench: process %d has ended", p.pid)
}

// processStat is what /proc/PID/stat tells.
type processStat struct {
	started      string
	user, system Seconds
	threads, rss int64
}

// Fields of /proc/PID/stat behind the name of the command, see proc(5).
const (
	statState   = 0
	statUser    = 11
	statSystem  = 12
	statThreads = 17
	statStarted = 19
	statRSS     = 21
)

// userTick is the unit of times in /proc: USER_HZ is 100 on every machine that
// Go runs Linux on.
const userTick = Seconds(time.Second / 100)

func (p *Process) stat() (processStat, error) {
	b, err := os.ReadFile(p.file("stat"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			return processStat{}, p.gone()
		}
		return processStat{}, fmt.Errorf("bench: process %d: %w", p.pid, err)
	}
	// The command's name stands in parentheses and may hold anything, even them.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) <= statRSS {
		return processStat{}, fmt.Errorf("bench: process %d: /proc/%[1]d/stat has %d fields", p.pid, len(fields))
	}
	if p.started != "" && fields[statStarted] != p.started || fields[statState] == "Z" {
		return processStat{}, p.gone()
	}
	var n numbers
	st := processStat{
		started: fields[statStarted],
		user:    Seconds(n.parse(fields[statUser])) * userTick,
		system:  Seconds(n.parse(fields[statSystem])) * userTick,
		threads: n.parse(fields[statThreads]),
		rss:     n.parse(fields[statRSS]) * int64(os.Getpagesize()),
	}
	return st, n.err
}

// cpu is the time on the process's CPU clock. /proc/PID/stat counts in ticks
// of 10 ms, and /proc/PID/schedstat knows the main thread alone; the clock
// knows all threads, those that ended too, to the nanosecond.
func (p *Process) cpu() (Seconds, error) {
	// The number of the clock is that of clock_getcpuclockid(3): the process's,
	// inverted, above three bits that say what is counted.
	const cpuclockSched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.pid<<3|cpuclockSched), &t); err != nil {
		return 0, p.gone()
	}
	return Seconds(t.Nano()), nil
}

// memory walks the pages. The counter in /proc/PID/stat is off by what each
// core has not yet added to it: 32 pages, 13 bytes for each of 10,000
// connections.
func (p *Process) memory() (rss, pss int64, err error) {
	values, err := keyValues(p.file("smaps_rollup"), "Rss:", "Pss:")
	return values[0] * 1024, values[1] * 1024, err
}

func (p *Process) descriptors() (int64, error) {
	names, err := p.descriptorNames()
	return int64(len(names)), err
}

func (p *Process) descriptorNames() ([]string, error) {
	d, err := os.Open(p.file("fd"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p.gone()
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// sockets counts those among the descriptors.
func (p *Process) sockets() (n int64, err error) {
	names, err := p.descriptorNames()
	for _, name := range names {
		// One that has been closed since the list was made is none.
		if to, err := os.Readlink(p.file("fd/" + name)); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n, err
}

// switches adds up what each thread has; /proc/PID/status is the main thread's.
func (p *Process) switches() (voluntary, involuntary int64, err error) {
	threads, err := os.ReadDir(p.file("task"))
	if err != nil {
		return 0, 0, err
	}
	for _, t := range threads {
		v, err := keyValues(p.file("task/"+t.Name()+"/status"), "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended since
		}
		if err != nil {
			return 0, 0, err
		}
		voluntary += v[0]
		involuntary += v[1]
	}
	return voluntary, involuntary, nil
}
