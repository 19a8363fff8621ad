package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// What the flags add to upgrade requests is what the server gets, from worker
// processes too.
func TestHeadersAndSubprotocol(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := startServer(t, echo, func(s *testServer) {
		s.upgrade = func(c net.Conn) error {
			say := func(key, value []byte) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, string(key)+": "+string(value))
				return nil
			}
			u := ws.Upgrader{
				OnHost:   func(host []byte) error { return say([]byte("Host"), host) },
				OnHeader: say,
				Protocol: func(name []byte) bool { return say([]byte("Protocol"), name) == nil && string(name) == "v2" },
			}
			_, err := u.Upgrade(c)
			return err
		}
	})
	for _, procs := range []string{"0", "2"} {
		mu.Lock()
		got = nil
		mu.Unlock()
		r := result(t, "echo", "-c", "2", "-n", "2", "--procs", procs, "-H", "Authorization: Bearer a, b", "--header=Host: example.org",
			"-H", "X: 1", "-H", "X: 2", "--subprotocol", "v1,v2", s.url())
		if r.Count != 2 || r.Errors != 0 {
			t.Errorf("got %d messages, %d errors; notes: %q", r.Count, r.Errors, r.Notes)
		}
		want := []string{"Host: example.org", "Protocol: v1", "Protocol: v2", "Authorization: Bearer a, b", "X: 1", "X: 2"}
		want = slices.Sorted(slices.Values(append(want, want...)))
		mu.Lock()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("--procs %s: the server got %q, want %q", procs, got, want)
		}
		mu.Unlock()
	}
}

// What is sent is what the file has, and what comes back is compared with it.
func TestPayload(t *testing.T) {
	for _, text := range []string{"Grüße, 世界", ""} {
		file := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := startServer(t, func(c net.Conn, n int64, f ws.Frame) error {
			if string(f.Payload) != text || f.Header.OpCode != ws.OpText {
				t.Errorf("the server got %q as %d, want %q as text", f.Payload, f.Header.OpCode, text)
			}
			if n == 20 {
				return ws.WriteFrame(c, ws.NewTextFrame([]byte("Grüße, 世间")))
			}
			return echo(c, n, f)
		})
		r := result(t, "echo", "-c", "2", "-n", "20", "--procs", "2", "--text", "--payload", file, s.url())
		if r.Count != 20 || r.Size != len(text) || r.Bytes != 20*int64(len(text)) || r.Errors != 0 {
			t.Errorf("got %d messages of %d bytes, %d errors, want 20 of %d", r.Count, r.Size, r.Errors, len(text))
		}
		r = result(t, "echo", "-c", "1", "-n", "2", "--text", "--payload", file, "--fail", "errors.corrupt==1", s.url())
		if r.Lost != 1 {
			t.Errorf("got %d lost, want the one whose echo was another", r.Lost)
		}
	}
}

// With --compression it is compressed.
func TestCompressedPayload(t *testing.T) {
	payload := []byte(strings.Repeat("the same again. ", 100))
	d := small(modeEcho, func(d *load) { d.Compression, d.Payload, d.Size = true, payload, len(payload) })
	s := d.share(0, 1).stream()
	if string(s.payload(0)) != string(payload) || s.outFrame > 100 {
		t.Errorf("got %q in frames of %d bytes, want the file's, compressed", s.payload(0), s.outFrame)
	}
	d.Payload, d.Size = nil, 1000
	if s := d.share(0, 1).stream(); len(s.payload(0)) != 1000 || s.payload(0)[0] != '{' {
		t.Errorf("got %q, want 1000 bytes of JSON", s.payload(0))
	}
}

// A server may listen on a unix socket, with a file or without.
func TestUnixSocket(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "s"), "@" + filepath.Base(t.TempDir()) + "-bench-test"} {
		s := startServer(t, echo, func(s *testServer) {
			s.Listener.Close()
			ln, err := net.Listen("unix", name)
			if err != nil {
				t.Fatal(err)
			}
			s.Listener = ln
		})
		for _, mode := range []string{"echo -n 100", "rate --rate 1k -d 100ms", "storm -d 100ms", "storm --reconnect -d 100ms", "slow --control 2 -d 100ms"} {
			r := result(t, append(strings.Fields(mode), "-c", "4", "ws+unix:"+name+":/echo")...)
			if r.Count == 0 || r.Errors != 0 || r.Lost != 0 {
				t.Errorf("%s, %s: got %d messages, %d errors; notes: %q", name, mode, r.Count, r.Errors, r.Notes)
			}
		}
		if n := s.frames.Load(); n < 100 {
			t.Errorf("the server got %d messages, want 100 at least", n)
		}
	}
	name := filepath.Join(t.TempDir(), "none")
	r := measureServers(t, small(modeEcho, func(*load) {}), "ws+unix:"+name+":/echo")
	wantErrors(t, r, KindConnect, 4)
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "connect to "+name+": no such file") {
		t.Errorf("got notes %q", notes)
	}
}

// A URL may name an address of IPv6, and an interface that it is of.
func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	s := startServer(t, echo, func(s *testServer) { s.Listener.Close(); s.Listener = ln })
	if r := result(t, "echo", "-n", "100", "--source", "::1", s.url()); r.Count != 100 || r.Errors != 0 {
		t.Errorf("got %d messages, %d errors; notes: %q", r.Count, r.Errors, r.Notes)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if zone, err := zoneID("lo"); err != nil || zone != uint32(lo.Index) {
		t.Errorf("got zone %d, %v, want %d", zone, err, lo.Index)
	}
	if _, err := lookUp(context.Background(), "ws://[fe80::1%25no-such-one]/", nil); err == nil {
		t.Error("a zone that is none was taken")
	}
}

// Of the addresses of a name one is taken that the sources can connect to, and
// without sources one of IPv4.
func TestLookUpPrefers(t *testing.T) {
	both := []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	for _, x := range []struct {
		addrs   []netip.Addr
		prefer4 bool
		want    string
	}{{both, true, "127.0.0.1"}, {both, false, "::1"}, {both[:1], true, "::1"}, {both[1:], false, "127.0.0.1"}} {
		if got := preferred(x.addrs, x.prefer4).String(); got != x.want {
			t.Errorf("%v, IPv4 %v: got %s, want %s", x.addrs, x.prefer4, got, x.want)
		}
	}
	s, err := lookUp(context.Background(), "ws://localhost/", Sources{netip.MustParseAddr("127.0.0.2")})
	if err != nil || s.Address.String() != "127.0.0.1:80" {
		t.Errorf("localhost: got %v, %v", s.Address, err)
	}
}
