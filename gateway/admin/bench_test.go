package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// asCrowd makes the test binary a crowd of clients: its value is where they
// connect to and how many they are.
const asCrowd = "ECHOGATE_TEST_BE_A_CROWD"

// BenchmarkScrape is a scrape of /metrics, over a connection that is kept, with
// as many connections as the descriptors of a process allow, at most 19,000. The
// clients are another process.
func BenchmarkScrape(b *testing.B) {
	g := start(b, map[string]websocket.Route{"/echo": {Message: echo}})
	n := min(19_000, g.gateway.MaxConnections(), descriptors(b)-100)
	gather(b, g.host, n)
	for _, path := range []string{"/metrics", "/live", "/connections?limit=1000"} {
		b.Run(fmt.Sprintf("%s/conns=%d", path[1:], n), func(b *testing.B) {
			transport := new(http.Transport)
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport}
			b.ReportAllocs()
			for b.Loop() {
				w, err := client.Get("http://" + g.admin + path)
				if err != nil {
					b.Fatal(err)
				}
				if size, err := io.Copy(io.Discard, w.Body); err != nil || size < 100 || w.StatusCode != 200 {
					b.Fatalf("got status %d, %d bytes, %v", w.StatusCode, size, err)
				}
				w.Body.Close()
			}
		})
	}
}

// gather has n clients connect, and stay until the benchmark ends.
func gather(b *testing.B, host string, n int) {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env, c.Stderr = append(os.Environ(), fmt.Sprintf("%s=%s %d", asCrowd, host, n)), os.Stderr
	leave, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		leave.Close()
		_ = c.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "all there\n" {
		b.Fatalf("the crowd says %q, %v", line, err)
	}
}

// beCrowd connects, says so, and waits for the end of its input.
func beCrowd(text string) (code int) {
	var n int
	host, rest, _ := strings.Cut(text, " ")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	const atOnce = 64
	var (
		all    sync.WaitGroup
		failed = make(chan error, atOnce)
	)
	for i := range atOnce {
		all.Go(func() {
			for range (n + atOnce - 1 - i) / atOnce {
				if _, err := connect(host); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		fmt.Fprintln(os.Stderr, err)
		return 1
	default:
	}
	fmt.Println("all there")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// kept holds the connections: without it the collector would close them.
var kept struct {
	sync.Mutex
	all []net.Conn
}

func connect(host string) (net.Conn, error) {
	d := ws.Dialer{Timeout: patience}
	conn, _, _, err := d.Dial(context.Background(), "ws://"+host+"/echo")
	kept.Lock()
	defer kept.Unlock()
	kept.all = append(kept.all, conn)
	return conn, err
}

// descriptors is how many a process may have.
func descriptors(b *testing.B) int {
	b.Helper()
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		b.Fatal(err)
	}
	return int(lim.Cur)
}
