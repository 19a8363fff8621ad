package poller

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"testing"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// BenchmarkTLSHandshake is what a full handshake with an upgrade behind it costs,
// here and with net/http, for the same certificate and the same client. The
// client's part is in it, and the same in both: cpu-µs/op is of the process.
func BenchmarkTLSHandshake(b *testing.B) {
	a := newAuthority(b)
	for _, resumed := range []bool{false, true} {
		client := a.client()
		if resumed {
			client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		}
		b.Run(fmt.Sprintf("poller/resumed=%t", resumed), func(b *testing.B) {
			s := startTLS(b, a, map[string]websocket.Route{"/": echoing}, nil)
			shakeHands(b, s.Addrs()[0].String(), client)
		})
		b.Run(fmt.Sprintf("net-http/resumed=%t", resumed), func(b *testing.B) {
			shakeHands(b, serveHTTPS(b, a), client)
		})
	}
}

// serveHTTPS is net/http with the upgrader of gobwas/ws.
func serveHTTPS(b *testing.B, a *authority) string {
	b.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", a.server())
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err == nil {
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	})}
	go func() { _ = s.Serve(ln) }()
	b.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

func shakeHands(b *testing.B, addr string, config *tls.Config) {
	b.Helper()
	before := cpuTime()
	for b.Loop() {
		tcp, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		_ = tcp.(*net.TCPConn).SetLinger(0) // no port waits
		conn := tls.Client(tcp, config)
		if _, err := io.WriteString(conn, request("/")); err != nil {
			b.Fatal(err)
		}
		if w, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || w.StatusCode != 101 {
			b.Fatal(w, err)
		}
		tcp.Close()
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkTLSEcho is an echo through a server with one loop, plain and with TLS.
// The client's part is in it: cpu-ns/op is of the process.
func BenchmarkTLSEcho(b *testing.B) {
	a := newAuthority(b)
	for _, size := range []int{125, 1 << 10, 16 << 10} {
		frame, reply := maskedEcho(size)
		b.Run(fmt.Sprintf("plain/%d", size), func(b *testing.B) {
			_, addr := serving(b, quiet(b))
			peers := newPeers(b, 1)
			joinPeers(b, addr, peers, 1)
			got := make([]byte, len(reply))
			p := (*peers)[0]
			b.SetBytes(int64(size))
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				p.write(frame)
				p.read(got)
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
		b.Run(fmt.Sprintf("tls/%d", size), func(b *testing.B) {
			s := startTLS(b, a, map[string]websocket.Route{"/": echoing}, func(c *Config) { c.Loops = 1 })
			conn := s.dialTLS(a.client(), "/")
			got := make([]byte, len(reply))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				conn.write(frame)
				if _, err := io.ReadFull(conn.r, got); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkTLSIdle is what an idle connection of TLS holds after a message: bytes
// of the heap and of stacks, and goroutines. The kernel's part is not in it.
func BenchmarkTLSIdle(b *testing.B) {
	a := newAuthority(b)
	for _, v := range versions {
		b.Run(tls.VersionName(v), func(b *testing.B) {
			for range b.N {
				bytes, goroutines := idleTLS(b, a, v, 500)
				b.ReportMetric(bytes, "B/connection")
				b.ReportMetric(goroutines, "goroutines/connection")
			}
		})
	}
}

// idleTLS is what each of n idle connections holds more than a plain one.
func idleTLS(t testing.TB, a *authority, version uint16, n int) (bytes, goroutines float64) {
	t.Helper()
	l := still(t, limited(func(c *Config) { c.TLS = a.server() }))
	config := a.client()
	config.MinVersion, config.MaxVersion = version, version
	add := func() {
		c := connectTLS(t, l, config)
		c.shake(hello)
		c.say(string(masked(ws.OpText, []byte("a message"), true)))
		c.flush()
		c.wants("\x81\x09a message")
		c.session = nil // the client's part
	}
	add() // what is made once
	plain := still(t, limited(nil))
	open(t, plain)
	before := held()
	for range n {
		open(t, plain)
	}
	between, running := held(), runtime.NumGoroutine()
	for range n {
		add()
	}
	more := (held() - between) - (between - before)
	return float64(more) / float64(n), float64(runtime.NumGoroutine()-running) / float64(n)
}

// held is what the process holds, of the heap and of stacks.
func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the first one's sweep is done
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// An idle connection of TLS 1.3 is to hold 8 KB at most, with nothing done to the
// fields of crypto/tls. It holds 6, which the test allows a little more of: were a
// hello not cut in quarters, it would be above.
func TestTLSIdleMemory(t *testing.T) {
	bytes, goroutines := idleTLS(t, newAuthority(t), tls.VersionTLS13, 300)
	t.Logf("%.0f bytes for a connection", bytes)
	if most := 6_600.0; bytes > most && !raceBuild {
		t.Errorf("%.0f bytes are held for a connection, want at most %.0f", bytes, most)
	}
	if goroutines > 0.01 {
		t.Errorf("%.2f goroutines for a connection, want none", goroutines)
	}
}
