package poller

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// process is a server as a process of its own: this test binary, started again.
// It has its descriptors and its memory to itself.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
	addr  string
	came  []*client // those of connect
}

// answer is what the process says to every command.
type answer struct {
	Addr     string
	Stats    Stats
	Resident int           // bytes of memory, after a collection
	CPU      time.Duration // used so far
	Err      string        // what Run returned, after "wait"
}

// settings are fields of Config by their names, and what they are to be.
type settings map[string]any

// startProcess starts the server and waits until it listens.
func startProcess(t *testing.T, changes settings) *process {
	t.Helper()
	text, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), asServer+"="+string(text))
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	p.in, p.lines = in, bufio.NewReader(out)
	p.addr = p.answer().Addr
	return p
}

// tell sends a command and returns what the process answers.
func (p *process) tell(command string) answer {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		p.t.Fatal(err)
	}
	return p.answer()
}

func (p *process) answer() (a answer) {
	p.t.Helper()
	kill := time.AfterFunc(2*patience, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	line, err := p.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		p.t.Fatalf("the server process answers %q: %v", line, err)
	}
	return a
}

// peak is the most memory that the process has held so far, in bytes.
func (p *process) peak() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		p.t.Fatalf("no VmHWM in %s: %v", status, err)
	}
	return kib << 10
}

// connect opens a TCP connection to the process.
func (p *process) connect() *client {
	p.t.Helper()
	c := connectTo(p.t, p.addr, 0)
	p.came = append(p.came, c)
	return c
}

// dial opens n WebSocket connections to it.
func (p *process) dial(n int, path string) []*client {
	p.t.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = p.connect().upgrade(path)
	}
	return clients
}

// until waits until the counters of the process are as cond wants them.
func (p *process) until(what string, cond func(*Stats) bool) {
	p.t.Helper()
	var got Stats
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%+v", got)
		}
	}()
	eventually(p.t, what, func() bool {
		got = p.tell("stats").Stats
		return cond(&got)
	})
}

// serveProcess is the other end: the server, told what to do line by line. At
// the end of its input it exits.
func serveProcess() int {
	ours := echoing
	ours.Origins = []string{"https://echogate.example"}
	routes, err := websocket.Compile(map[string]websocket.Route{
		"/": echoing, "/echo": echoing, "/narrow": narrow, "/ours": ours, "/deflate": deflating,
		"/panic": {Message: func(*websocket.Conn, ws.OpCode, []byte) error { boom(); return nil }},
	})
	if err != nil {
		panic(err)
	}
	config := Default(routes)
	config.Listen, config.Loops, config.Drain = []string{"127.0.0.1:0"}, 2, 2*time.Second
	config.DrainTimeout = 0 // the parent waits for so long as it likes
	config.Log = slog.New(slog.DiscardHandler)
	if err := json.Unmarshal([]byte(os.Getenv(asServer)), &config); err != nil {
		panic(err)
	}
	s, err := New(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	statm, err := os.Open("/proc/self/statm") // kept open: there may be no descriptor left later
	if err != nil {
		panic(err)
	}
	say := func(ended error) { say(s, statm, ended) }
	say(nil)
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		name, number, _ := strings.Cut(commands.Text(), " ")
		switch name {
		case "limit":
			limitDescriptors(number)
		case "drain":
			stop()
		case "wait":
			say(<-ended)
			return 0
		}
		say(nil)
	}
	return 0
}

// limitDescriptors lets the process open so many more than it has.
func limitDescriptors(more string) {
	n, err := strconv.Atoi(more)
	if err != nil {
		panic(err)
	}
	// A descriptor's number must be below the limit: those in use have no gaps.
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		panic(err)
	}
	lim.Cur = min(uint64(openDescriptors()-1+n), lim.Max)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		panic(err)
	}
}

// say answers a command.
func say(s *Server, statm *os.File, ended error) {
	debug.FreeOSMemory()
	a := answer{Addr: s.Addrs()[0].String(), Stats: s.Stats(), Resident: resident(statm)}
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		a.CPU = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	if ended != nil {
		a.Err = ended.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		panic(err)
	}
}

// resident is the process's memory in bytes (proc_pid_statm(5)).
func resident(statm *os.File) int {
	text := make([]byte, 256)
	n, err := statm.ReadAt(text, 0)
	if err != nil && err != io.EOF {
		panic(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text[:n]))[1])
	if err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}
