package websocket

import (
	"testing"

	"github.com/gobwas/ws"
)

// plainHead is the upgrade that a simple client sends, chromeHead a browser's.
const (
	plainHead = "GET /echo HTTP/1.1\r\nHost: localhost:9998\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	chromeHead = "GET /echo?name=x HTTP/1.1\r\nHost: localhost:9998\r\nConnection: Upgrade\r\nPragma: no-cache\r\n" +
		"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n" +
		"Upgrade: websocket\r\nOrigin: http://localhost:9998\r\nSec-WebSocket-Version: 13\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)

func echoBack(c *Conn, op ws.OpCode, p []byte) error { return c.Send(op, p) }

// benchLoop is a fakeLoop with one buffer, so that its own cost is none.
type benchLoop struct {
	fakeLoop
	buffer []byte
}

func (l *benchLoop) Alloc(int) []byte { return l.buffer[:0] }
func (l *benchLoop) Free([]byte)      {}

// upgradeOnce is what the benchmark and the pin measure: one good upgrade.
func upgradeOnce(tb testing.TB, head string) func() {
	l := &benchLoop{buffer: make([]byte, 0, 4096)}
	c := NewConn(l, mustCompile(tb, map[string]Route{"/echo": {Message: echoBack}}))
	in := []byte(head)
	var st State
	return func() {
		st = State{}
		c.Bind(1, &st, nil)
		if n, err := c.handshake(in); n != len(in) || err != nil || !st.Open() {
			tb.Fatal(n, err)
		}
		c.Sent()
	}
}

func BenchmarkUpgrade(b *testing.B) {
	for name, head := range map[string]string{"plain": plainHead, "chrome": chromeHead} {
		b.Run(name, func(b *testing.B) {
			once := upgradeOnce(b, head)
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

// BenchmarkScan is the part that is ours: the scan and the route.
func BenchmarkScan(b *testing.B) {
	for name, head := range map[string]string{"plain": plainHead, "chrome": chromeHead} {
		b.Run(name, func(b *testing.B) {
			in := []byte(head)
			var r Request
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := r.scan(in, 0, DefaultMaxHead); n != len(in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func TestUpgradeAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops at random under -race")
	}
	for name, head := range map[string]string{"plain": plainHead, "chrome": chromeHead} {
		if got := testing.AllocsPerRun(200, upgradeOnce(t, head)); got > maxUpgradeAllocs {
			t.Errorf("%s: %v allocations per upgrade, want at most %v", name, got, maxUpgradeAllocs)
		}
	}
}

// maxUpgradeAllocs: what gobwas/ws allocates; the scan and the route have none.
const maxUpgradeAllocs = 1
