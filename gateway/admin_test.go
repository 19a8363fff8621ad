//go:build linux

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"echogate/gateway/admin"
)

// startWithAdmin starts the gateway with an admin port of its own.
func startWithAdmin(t *testing.T, args ...string) *program {
	t.Helper()
	p := startProgram(t, nil, nil, append([]string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	if p.admin == "" {
		t.Fatal("the start line has no admin address")
	}
	return p
}

// wantStatus asks for a path and compares the answer's status.
func wantStatus(t *testing.T, host, path string, want int) {
	t.Helper()
	if w, body := ask(t, host, "GET", path); w.StatusCode != want {
		t.Errorf("%s%s: got status %d %q, want %d", host, path, w.StatusCode, body, want)
	}
}

// awaitReady waits until a gateway says that it is ready: its start line may come
// before its loops run.
func awaitReady(t *testing.T, admin string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		w, body := ask(t, admin, "GET", "/readyz")
		if w.StatusCode == 200 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %d %q", w.StatusCode, body)
		}
	}
}

// The admin port answers, and nothing of it is on the public port.
func TestAdminPort(t *testing.T) {
	p := startWithAdmin(t)
	for _, path := range []string{
		"/healthz", "/readyz", "/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine",
	} {
		wantStatus(t, p.admin, path, 200)
		wantStatus(t, p.host, path, 404)
	}
	if w, _ := ask(t, p.host, "POST", "/drain?percent=100"); w.StatusCode/100 != 4 {
		t.Errorf("a drain on the public port: got status %d, want a refusal", w.StatusCode)
	}
}

// While it drains the gateway is alive and not ready.
func TestDrainIsNotReady(t *testing.T) {
	p := startWithAdmin(t, "--drain", "0", "--drain-timeout", "1h")
	dial(t, "ws://"+p.host+"/echo") // does not answer the close frame
	awaitReady(t, p.admin)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "draining")
	wantStatus(t, p.admin, "/healthz", 200)
	if _, body := ask(t, p.admin, "GET", "/metrics"); !strings.Contains(body, "\nechogate_draining 1\n") || !strings.Contains(body, "\nechogate_ready 0\n") {
		t.Errorf("the metrics do not say that it drains:\n%s", body)
	}
	wantStatus(t, p.admin, "/readyz", 503)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.ended(t); code != exitFailed {
		t.Errorf("got exit code %d, want %d", code, exitFailed)
	}
}

// A reload is counted, and changes who is answered what.
func TestReloadOfTheAdminPort(t *testing.T) {
	file := t.TempDir() + "/gateway.yaml"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ready-connections: 0")
	p := startWithAdmin(t, "--config", file)
	dial(t, "ws://"+p.host+"/echo")
	dial(t, "ws://"+p.host+"/echo")
	for _, x := range []struct {
		text, line string
		want       int
	}{
		{"ready-connections: 1", "configuration reloaded", 503},
		{"ready-connections: 2", "configuration reloaded", 200},
		{"ready-connections: none", "new configuration refused, the old one stays", 200},
	} {
		write(x.text)
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.waitFor(t, x.line)
		wantStatus(t, p.admin, "/readyz", x.want)
	}
	_, body := ask(t, p.admin, "GET", "/metrics")
	for _, want := range []string{`echogate_reloads_total{result="done"} 2`, `echogate_reloads_total{result="refused"} 1`} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// The flags get to the port, whatever else is given.
func TestAdminOptions(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for _, x := range []struct {
		args []string
		want admin.Options
	}{
		{nil, admin.Options{}},
		{[]string{"--admin-open", "--ready-connections", "7"}, admin.Options{Open: true, ReadyConnections: 7}},
	} {
		_, c, err := parse(x.args, none, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.adminOptions(); got != x.want {
			t.Errorf("%q: got %+v, want %+v", x.args, got, x.want)
		}
	}
	for _, bad := range []string{"9999", "host.example:9999", "127.0.0.1:99999", "unix:", "unix:/run/admin.sock?proxy=required", "unix:/run/admin.sock?mode=x", "unix:@admin?mode=0600", "127.0.0.1:9999?proxy=required", ":9998", "on"} {
		if _, _, err := parse([]string{"--admin", bad}, none, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "--admin: ") {
			t.Errorf("--admin %s: got %v, want an error that names the flag", bad, err)
		}
	}
}

// handedSocket is a listening socket as a service manager has it, and its
// address.
func handedSocket(t *testing.T) (*os.File, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, ln.Addr().String()
}

// The admin port comes from the service manager, by its name, and goes on to
// the process that takes over: whoever asks is answered all the time.
func TestAdminPortIsHandedOn(t *testing.T) {
	for _, given := range []bool{false, true} {
		second, address := handedSocket(t)
		public, host := handedSocket(t)
		env := []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=admin:echogate.socket", "ECHOGATE_ADMIN="}
		args := []string{"--drain", "0"}
		if given {
			args = append(args, "--admin", address)
		}
		p := startProgram(t, []*os.File{second, public}, env, args...)
		if p.admin != address || p.host != host {
			t.Fatalf("given %v: got admin port %q beside %q, want %q beside %q", given, p.admin, p.host, address, host)
		}
		awaitReady(t, address)
		p.takeOver(t, p.Process.Pid)
		wantStatus(t, address, "/readyz", 200)
		wantStatus(t, host, "/readyz", 404)
	}
}

// On a unix socket the file's mode is who may ask, for everything. It is handed on,
// and gone when the last process has stopped.
func TestAdminUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	p := startProgram(t, nil, nil, "--listen", "127.0.0.1:0", "--admin", "unix:"+path+"?mode=0640", "--drain", "0")
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o640 {
		t.Fatalf("got %v, %v", info, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	for _, x := range []string{"/healthz", "/connections", "/debug/pprof/cmdline"} {
		w, err := client.Get("http://admin.example" + x)
		if err != nil {
			t.Fatal(err)
		}
		if w.Body.Close(); w.StatusCode != 200 {
			t.Errorf("%s: got status %d", x, w.StatusCode)
		}
	}
	young := p.takeOver(t, p.Process.Pid)
	p.waitFor(t, "stopped")
	var out, errOut strings.Builder
	if code := run([]string{"healthcheck", "--admin", "unix:" + path + "?mode=0640"}, lookup(nil), &out, &errOut); code != exitOK {
		t.Errorf("healthcheck: got %d, %s", code, errOut.String())
	}
	if err := syscall.Kill(young, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "stopped")
	eventuallyGone(t, path)
	if code := run([]string{"healthcheck", "unix:" + path}, lookup(nil), &out, &errOut); code != exitFailed {
		t.Errorf("healthcheck of nobody: got %d", code)
	}
}

// eventuallyGone waits until there is no file: it goes after the last line of the
// log.
func eventuallyGone(t *testing.T, path string) {
	t.Helper()
	wait(t, "the end of "+path, func() bool { _, err := os.Lstat(path); return os.IsNotExist(err) })
}

// A start that fails leaves no file behind, and takes nobody's place.
func TestAdminUnixSocketOfABadStart(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "file")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ listen, admin, want string }{
		{"127.0.0.1:0", "unix:" + other, "--admin: there is a file that is no socket; accepted is another address, or off"},
		{"unix:" + other, "unix:" + path, "there is a file that is no socket"},
		{"unix:" + path, "unix:" + path, "--admin: "},
	} {
		var errOut strings.Builder
		code := run([]string{"--listen", x.listen, "--admin", x.admin}, lookup(nil), io.Discard, &errOut)
		if _, err := os.Lstat(path); code != exitUsage || !strings.Contains(errOut.String(), x.want) || !os.IsNotExist(err) {
			t.Errorf("%+v: got %d, %s, %v", x, code, errOut.String(), err)
		}
	}
}

// An address that was given comes before a socket that was handed on, unless that
// has it: with port 0, any port of its host.
func TestAdminPortElsewhere(t *testing.T) {
	second, address := handedSocket(t)
	for given, same := range map[string]bool{"127.0.0.2:0": false, "127.0.0.1:0": true, "off": false} {
		p := startProgram(t, []*os.File{second}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=admin"}, "--listen", "127.0.0.1:0", "--admin", given)
		if (p.admin == address) != same || (p.admin == "") != (given == "off") {
			t.Errorf("--admin %s: got admin port %q, %q was handed on", given, p.admin, address)
		}
	}
}

func TestInheritedNames(t *testing.T) {
	for _, x := range []struct {
		env           []string
		public, admin []int
		err           string
	}{
		{nil, nil, nil, ""},
		{[]string{"LISTEN_FDS=2"}, []int{3, 4}, nil, ""},
		{[]string{"LISTEN_FDS=3", "LISTEN_FDNAMES=public:admin:public"}, []int{3, 5}, []int{4}, ""},
		{[]string{"LISTEN_FDS=2", "LISTEN_FDNAMES=admin:echogate.socket"}, []int{4}, []int{3}, ""},
		{[]string{"LISTEN_FDS=2", "LISTEN_FDNAMES=public-made:admin-made"}, []int{3}, []int{4}, ""},
		{[]string{"LISTEN_FDS=1", "LISTEN_FDNAMES="}, []int{3}, nil, ""},
		{[]string{"LISTEN_FDS=1", "LISTEN_PID=1"}, nil, nil, ""},
		{[]string{"LISTEN_FDS=2", "LISTEN_FDNAMES=admin"}, nil, nil, "LISTEN_FDNAMES: 1 names for 2 sockets"},
		{[]string{"LISTEN_FDS=some"}, nil, nil, "LISTEN_FDS"},
	} {
		env := func(name string) (string, bool) {
			for _, line := range x.env {
				if text, ok := strings.CutPrefix(line, name+"="); ok {
					return text, true
				}
			}
			return "", false
		}
		got, err := inherited(env, 4711)
		if err != nil || x.err != "" {
			if err == nil || x.err == "" || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%q: got %v, want error %q", x.env, err, x.err)
			}
			continue
		}
		if !slices.Equal(got.public, x.public) || !slices.Equal(got.admin, x.admin) {
			t.Errorf("%q: got %+v, want public %v, admin %v", x.env, got, x.public, x.admin)
		}
	}
}

func TestSameAddress(t *testing.T) {
	have := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9999}
	everywhere := &net.TCPAddr{IP: net.IPv6zero, Port: 9999}
	for _, x := range []struct {
		have net.Addr
		want string
		same bool
	}{
		{have, "127.0.0.1:9999", true},
		{have, "localhost:9999", true},
		{have, "127.0.0.1:9998", false},
		{have, "127.0.0.2:9999", false},
		{have, ":9999", false},
		{have, "off", false},
		{everywhere, ":9999", true},
		{everywhere, "0.0.0.0:9999", true},
		{everywhere, "127.0.0.1:9999", false},
		{&net.UnixAddr{Name: "127.0.0.1:9999", Net: "unix"}, "127.0.0.1:9999", false},
		{&net.UnixAddr{Name: "/run/admin.sock", Net: "unix"}, "unix:/run/admin.sock?mode=0600", true},
		{&net.UnixAddr{Name: "/run/admin.sock", Net: "unix"}, "unix:/run/other.sock", false},
		{have, "unix:/run/admin.sock", false},
	} {
		if got := sameAddress(x.have, x.want); got != x.same {
			t.Errorf("%v and %q: got %v, want %v", x.have, x.want, got, x.same)
		}
	}
}
