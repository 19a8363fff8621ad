package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestHealthcheck: whatever it is asked, it ends with 0 or 1 and says why in one
// line.
func TestHealthcheck(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			w.Write([]byte("ok\n"))
		case "/moved":
			http.Redirect(w, r, "/healthz", http.StatusFound)
		default:
			http.Error(w, "loop 1 is away\nand more", http.StatusServiceUnavailable)
		}
	}))
	defer site.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	host := site.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	for _, x := range []struct {
		env  string // ECHOGATE_ADMIN
		args string
		code int
		want string
	}{
		{"", host, exitOK, "healthy"},
		{"", site.URL, exitOK, "healthy"},
		{"", site.URL + "/", exitOK, "healthy"},
		{"", site.URL + "/readyz", exitFailed, `503 Service Unavailable: "loop 1 is away"`},
		{"", site.URL + "/moved", exitFailed, "302"},
		{"", "--admin " + host, exitOK, "healthy"},
		{host, "", exitOK, "healthy"},
		{":" + port, "", exitOK, "healthy"}, // all addresses: asked on this machine
		{"0.0.0.0:" + port, "", exitOK, "healthy"},
		{nobody, host, exitOK, "healthy"},
		{nobody, "", exitFailed, "connection refused"},
		{"off", "", exitFailed, "off"},
		{"127.0.0.1:0", "", exitFailed, "port"},
		{"nonsense", "", exitFailed, "ECHOGATE_ADMIN"},
		{"", "https://" + host, exitFailed, "http://"},
		{"", "localhost", exitFailed, "host:port"},
		{"", "--no-such-flag", exitFailed, "--no-such-flag"},
		{"", "--config nowhere.yaml", exitFailed, "nowhere.yaml"},
	} {
		var out, errOut bytes.Buffer
		env := func(name string) (string, bool) {
			if name == "ECHOGATE_ADMIN" {
				return x.env, true
			}
			return "", false
		}
		code := run(append([]string{"healthcheck"}, strings.Fields(x.args)...), env, &out, &errOut)
		said := out.String() + errOut.String()
		if code != x.code || !strings.Contains(said, x.want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s %q: got code %d and %q, want %d and one line with %q", x.env, x.args, code, said, x.code, x.want)
		}
	}
}

// It does not wait for ever for one who takes the connection and says nothing.
func TestHealthcheckIsBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := askHealth(ctx, "tcp", ln.Addr().String(), "/healthz"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}
