//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// upgradeHead is an upgrade request with more header lines.
func upgradeHead(lines string) string {
	return "GET /echo HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + lines + "\r\n"
}

// connectRaw connects to a listener of any kind.
func connectRaw(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout(network, addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// statusOf reads a head without a byte too much, and returns its status.
func statusOf(t *testing.T, conn net.Conn) string {
	t.Helper()
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatalf("got %v after %q", err, head)
		}
	}
	_, rest, _ := strings.Cut(string(head), " ")
	return rest[:3]
}

// A7 of the limits, with the real headers over real sockets: whom the log names.
func TestProxyHeaders(t *testing.T) {
	p := startProgram(t, nil, nil, "--access-log", "--max-per-address=100",
		"--listen=127.0.0.1:0?proxy=required", "--trusted-proxies=127.0.0.1,203.0.113.0/24")
	const own = "own"
	for _, tt := range []struct{ name, sends, status, addr string }{
		{"v1", "PROXY TCP4 198.51.100.7 192.0.2.1 40000 443\r\n" + upgradeHead(""), "101", "198.51.100.7:40000"},
		{"v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n" + upgradeHead(""), "101", "[2001:db8::7]:40000"},
		{"v1 unknown", "PROXY UNKNOWN\r\n" + upgradeHead(""), "101", own},
		{"v2", block2(0x21, 0x11, from4) + upgradeHead(""), "101", "203.0.113.7:40000"},
		{"v2 IPv6", block2(0x21, 0x21, from6) + upgradeHead(""), "101", "[2001:db8::7]:40000"},
		{"v2 TLVs", block2(0x21, 0x11, from4+tlv(0xea, strings.Repeat("x", 2000))) + upgradeHead(""), "101", "203.0.113.7:40000"},
		{"v2 local", block2(0x20, 0x00, "") + upgradeHead(""), "101", own},
		{"client's own header", "PROXY TCP4 198.51.100.7 192.0.2.1 40000 443\r\n" + upgradeHead("X-Forwarded-For: 6.6.6.6\r\n"), "101", "198.51.100.7:40000"},
		{"header of a proxy behind the proxy", block2(0x21, 0x11, from4) + upgradeHead("X-Forwarded-For: 6.6.6.6, 198.51.100.8\r\n"), "101", "198.51.100.8"},
		{"none", upgradeHead(""), "400", own},
		{"v2 bad checksum", block2(0x21, 0x11, from4+tlv(0x03, "\x00\x00\x00\x01")) + upgradeHead(""), "400", own},
		{"v2 twice", block2(0x21, 0x11, from4) + block2(0x21, 0x11, from4) + upgradeHead(""), "400", "203.0.113.7:40000"},
	} {
		for _, piece := range []int{len(tt.sends), 1} {
			conn := connectRaw(t, "tcp", p.host)
			for rest := []byte(tt.sends); len(rest) > 0; {
				n, err := conn.Write(rest[:min(piece, len(rest))])
				if err != nil && tt.status == "101" {
					t.Fatalf("%s: %v", tt.name, err)
				}
				if rest = rest[n:]; err != nil {
					break // it has been refused already
				}
			}
			if got := statusOf(t, conn); got != tt.status {
				t.Errorf("%s in pieces of %d: got %s, want %s", tt.name, piece, got, tt.status)
			}
			want := tt.addr
			if want == own {
				want = conn.LocalAddr().String()
			}
			conn.Close()
			if got := p.waitFor(t, "connection ended")["addr"]; got != want {
				t.Errorf("%s in pieces of %d: the log has %v, want %s", tt.name, piece, got, want)
			}
		}
	}
}

// A7 on a listener that is not marked: what is forged is not believed.
func TestForgedHeaders(t *testing.T) {
	p := startProgram(t, nil, nil, "--access-log", "--listen=127.0.0.1:0", "--max-per-address=1", "--trusted-proxies=192.0.2.0/24")
	for _, tt := range []struct{ sends, status string }{
		{"PROXY TCP4 198.51.100.7 192.0.2.1 40000 443\r\n" + upgradeHead(""), "400"},
		{block2(0x21, 0x11, from4) + upgradeHead(""), "400"},
		{upgradeHead("X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"), "101"},
	} {
		conn := connectRaw(t, "tcp", p.host)
		if _, err := io.WriteString(conn, tt.sends); err != nil {
			t.Fatal(err)
		}
		if got := statusOf(t, conn); got != tt.status {
			t.Errorf("%.30q: got %s, want %s", tt.sends, got, tt.status)
		}
		second := connectRaw(t, "tcp", p.host) // counted by the socket's own address
		if _, err := io.WriteString(second, upgradeHead("X-Forwarded-For: 7.7.7.7\r\n")); err != nil {
			t.Fatal(err)
		}
		if got := statusOf(t, second); got != "429" {
			t.Errorf("%.30q: a second one got %s, want 429", tt.sends, got)
		}
		for _, c := range []net.Conn{second, conn} {
			c.Close()
			if got := p.waitFor(t, "connection ended")["addr"]; got != c.LocalAddr().String() {
				t.Errorf("%.30q: the log has %v, want %s", tt.sends, got, c.LocalAddr())
			}
		}
	}
}

// Each of the headers is read when it is the one that is asked for, and the
// others are not.
func TestClientHeader(t *testing.T) {
	all := upgradeHead("X-Forwarded-For: 198.51.100.1\r\nForwarded: for=198.51.100.2\r\nX-Real-IP: 198.51.100.3\r\n")
	for header, want := range map[string]string{
		"x-forwarded-for": "198.51.100.1", "forwarded": "198.51.100.2", "X-Real-IP": "198.51.100.3", "off": "",
	} {
		p := startProgram(t, nil, nil, "--access-log", "--listen=127.0.0.1:0", "--trusted-proxies=127.0.0.0/8", "--client-header="+header)
		conn := connectRaw(t, "tcp", p.host)
		if _, err := io.WriteString(conn, all); err != nil {
			t.Fatal(err)
		}
		statusOf(t, conn)
		if want == "" {
			want = conn.LocalAddr().String()
		}
		conn.Close()
		if got := p.waitFor(t, "connection ended")["addr"]; got != want {
			t.Errorf("%s: the log has %v, want %s", header, got, want)
		}
	}
}

// A unix socket, with the mode that was asked for; its peers are trusted when
// that is said. It is handed on, and gone when the last process has stopped.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	p := startProgram(t, nil, nil, "--access-log", "--drain=0", "--listen=unix:"+path+"?mode=0606", "--trusted-proxies=unix")
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o606 {
		t.Fatalf("got %v, %v", info, err)
	}
	echo := func(header, addr string) {
		t.Helper()
		conn := connectRaw(t, "unix", path)
		if _, err := io.WriteString(conn, upgradeHead(header)); err != nil {
			t.Fatal(err)
		}
		if got := statusOf(t, conn); got != "101" {
			t.Fatalf("got %s", got)
		}
		send(t, conn, ws.OpText, "x")
		wantFrame(t, conn, ws.OpText, "x")
		if _, err := conn.Write([]byte{0x88, 0x80, 0, 0, 0, 0}); err != nil { // close, in one write
			t.Fatal(err)
		}
		if got := p.waitFor(t, "connection ended")["addr"]; got != addr {
			t.Errorf("the log has %v, want %s", got, addr)
		}
	}
	echo("", "unix")
	echo("X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1")
	young := p.takeOver(t, p.Process.Pid)
	p.waitFor(t, "stopped")
	echo("", "unix")
	if err := syscall.Kill(young, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "stopped")
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file is still there")
	}
}

// systemd's socket stays: it listens on it for the next one.
func TestUnixSocketInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, args := range [][]string{nil, {"--listen=unix:" + path}} {
		p := startProgram(t, []*os.File{file}, []string{"LISTEN_FDS=1"}, append(args, "--drain=0")...)
		if p.host != path {
			t.Errorf("%v: serves %s, want %s", args, p.host, path)
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}
		if r, err := client.Get("http://unix/"); err != nil || r.StatusCode != 200 {
			t.Errorf("%v: got %v, %v", args, r, err)
		} else {
			r.Body.Close()
		}
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.ended(t); code != exitOK {
			t.Errorf("%v: exit code %d", args, code)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// What is in the way is named, and the exit code is that of a wrong command line.
func TestUnixSocketInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code := run([]string{"--listen=unix:" + path}, lookup(nil), io.Discard, &out)
	want := fmt.Sprintf("echogate: poller: listen on %q: there is a file that is no socket\n", "unix:"+path)
	if code != exitUsage || out.String() != want {
		t.Errorf("got code %d, %q, want %d, %q", code, &out, exitUsage, want)
	}
	if data, err := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("got %q, %v", data, err)
	}
}
