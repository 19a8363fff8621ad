package poller

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// dialUnix opens a WebSocket on a unix socket.
func dialUnix(t testing.TB, path string) net.Conn {
	t.Helper()
	d := ws.Dialer{Timeout: patience, NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	conn, _, _, err := d.Dial(context.Background(), "ws://unix/echo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return conn
}

// echoes sends a message and wants it, or what else want is, back.
func echoes(t testing.TB, conn net.Conn, text, want string) {
	t.Helper()
	err := wsutil.WriteClientText(conn, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wsutil.ReadServerText(conn); string(got) != want || err != nil {
		t.Fatalf("got %.60q, %v, want %.60q", got, err, want)
	}
}

// listenUnix makes a server listen on a unix socket.
func listenUnix(text string) func(*Config) {
	return func(c *Config) { c.Listen = []string{"unix:" + text} }
}

// A unix socket is served like any other, of both kinds: large messages, a
// reader that is slow, an address that is none.
func TestUnixSocket(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "gate.sock"), "@echogate-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000")} {
		s := start(t, echoTable, func(c *Config) {
			listenUnix(path)(c)
			c.MaxPerAddress = 1 // which nobody here has
		})
		if got := s.Addrs()[0]; got.Network() != "unix" || got.String() != path {
			t.Errorf("serves %s %s, want %s", got.Network(), got, path)
		}
		large := strings.Repeat("x", 1<<20)
		for range 2 {
			conn := dialUnix(t, path)
			echoes(t, conn, "small", "small")
			echoes(t, conn, large, large)
		}
	}
}

func TestUnixSocketRemote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	start(t, map[string]websocket.Route{"/echo": tellRemote}, func(c *Config) {
		listenUnix(path)(c)
		c.MaxPerAddress = 1
	})
	echoes(t, dialUnix(t, path), "who am I", netip.AddrPort{}.String())
}

// TestUnixSocketLog: the log has no address, and no bytes that nobody counted.
func TestUnixSocketLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	log := new(logBuffer)
	s := start(t, echoTable, func(c *Config) {
		listenUnix(path)(c)
		c.AccessLog = slog.New(slog.NewTextHandler(log, nil))
	})
	conn := dialUnix(t, path)
	echoes(t, conn, "x", "x")
	conn.Close()
	s.wantClosed(websocket.CauseEOF, 1)
	eventually(t, "a line", func() bool { return log.lines("addr=unix") == 1 })
	if strings.Contains(log.String(), "bytes_in") {
		t.Errorf("got %s, want no bytes", log)
	}
}

// The mode is that of the option, whatever the umask says.
func TestUnixSocketMode(t *testing.T) {
	for option, want := range map[string]os.FileMode{"?mode=0660": 0o660, "?mode=0777": 0o777, "?mode=0600": 0o600, "?mode=0": 0} {
		path := filepath.Join(t.TempDir(), "gate.sock")
		start(t, echoTable, listenUnix(path+option))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v", option, info.Mode(), err)
		}
	}
}

// What a server that died has left behind is replaced; at a clean stop nothing
// is left.
func TestUnixSocketDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	s := start(t, echoTable, listenUnix(path))
	echoes(t, dialUnix(t, path), "x", "x")
	s.stop()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after a clean stop: got %v, want no file", err)
	}
}

// Nothing but a dead socket is ever removed.
func TestUnixSocketInTheWay(t *testing.T) {
	dir := t.TempDir()
	living, err := net.Listen("unix", filepath.Join(dir, "living"))
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	packets, err := net.ListenPacket("unixgram", filepath.Join(dir, "packets"))
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	full := filepath.Join(dir, "full") // its backlog is full: it answers nobody
	fullBacklog(t, full)
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "file"), []byte("precious"), 0o600),
		os.Mkdir(filepath.Join(dir, "directory"), 0o700),
		os.Symlink("living", filepath.Join(dir, "link")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"living": "address already in use", "full": "address already in use",
		"file": "a file that is no socket", "directory": "a file that is no socket",
		"link": "a file that is no socket", "dangling": "a file that is no socket",
		"packets": "protocol wrong type", "no/such": "no such file or directory",
	} {
		path := filepath.Join(dir, name)
		before, _ := os.Lstat(path)
		ln, err := listen("unix:" + path)
		if err == nil {
			_ = unix.Close(ln.fd)
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error with %q and the path", name, err, want)
		}
		if after, _ := os.Lstat(path); before != nil && !os.SameFile(before, after) {
			t.Errorf("%s is not what it was", name)
		}
	}
}

// fullBacklog makes a listening socket that takes no more.
func fullBacklog(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = knockAndStay(t, path)
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
}

func knockAndStay(t *testing.T, path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

// A file that has taken the socket's place by the end is somebody else's.
func TestUnixSocketReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	s := start(t, echoTable, listenUnix(path))
	if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("got %v, want the other file still there", err)
	}
}

// After a take-over the file is the next one's: the old server leaves it.
func TestUnixSocketTakeOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	old := start(t, echoTable, listenUnix(path))
	early := dialUnix(t, path)
	echoes(t, early, "early", "early")
	fds, err := old.Sockets()
	if err != nil {
		t.Fatal(err)
	}
	next := start(t, echoTable, func(c *Config) {
		listenUnix(path + "?mode=0600")(c)
		c.Inherited, c.Made = fds, fds
	})
	if made := old.Made(); len(made) != 1 || !made[0] {
		t.Errorf("got made %v, want the file to be the old server's", made)
	}
	old.Yield()
	early.Close()
	old.stop()
	if err := old.wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("after the take-over: %v", err)
	}
	if got := next.Addrs()[0].String(); got != path {
		t.Errorf("the next one serves %s, want %s", got, path)
	}
	late := dialUnix(t, path)
	echoes(t, late, "late", "late")
	late.Close()
	next.stop()
	if err := next.wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the last one: got %v, want no file", err)
	}
}
