package admin

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"echogate/poller"
	"echogate/poller/websocket"
)

// scrape returns the answer of /metrics.
func (g *gateway) scrape(t testing.TB) string {
	t.Helper()
	w, body := g.ask(t, "GET", "/metrics")
	if w.StatusCode != 200 {
		t.Fatalf("got status %d %q of /metrics", w.StatusCode, body)
	}
	return body
}

// series are the names of a scrape with their labels, without the values.
func series(body string) (names []string) {
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
	}
	return names
}

// value returns what a series of a scrape is.
func value(t testing.TB, body, series string) (v float64) {
	t.Helper()
	_, rest, ok := strings.Cut("\n"+body, "\n"+series+" ")
	if !ok {
		t.Fatalf("no %s in the metrics", series)
	}
	if _, err := fmt.Sscan(rest, &v); err != nil {
		t.Fatalf("%s: %v", series, err)
	}
	return v
}

// What is exported is what the reference says, with names as Prometheus's own
// linter wants them.
func TestMetricsAreAsTheReferenceSays(t *testing.T) {
	more := []Counter{{"faults_total", []string{"kind"}, "Faults.", func(add func(uint64, ...string)) { add(7, "delay") }}}
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}}, func(_ *poller.Config, c *Config) { c.Counters = more })
	echoed(t, g.dial(t, "/echo"), "one") // so that there is a series of everything
	body := g.scrape(t)
	if got := value(t, body, `echogate_faults_total{kind="delay"}`); got != 7 {
		t.Errorf("got %v of another package's counter, want 7", got)
	}
	described := map[string]string{}
	for _, m := range Reference(more) {
		described[m.Name] = m.Type
	}
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(line, "# TYPE "+prefix); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
			if described[prefix+name] != kind {
				t.Errorf("%s is a %s, the reference says %q", prefix+name, kind, described[prefix+name])
			}
			delete(described, prefix+name)
		}
	}
	if len(described) > 0 {
		t.Errorf("not exported: %v", described)
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, prefix) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Row H2: nothing that a client sends makes a series.
func TestMetricsCardinality(t *testing.T) {
	g := start(t, map[string]websocket.Route{"/echo": {Message: echo}, "/user/{name}": {Message: echo}})
	echoed(t, g.dial(t, "/echo"), "one")
	echoed(t, g.dial(t, "/user/one"), "one")
	before := series(g.scrape(t))
	for i := range 1000 {
		path := []string{"/random-%d", "/user/%d", "/echo?%d", "/user/%d/more", "/%%%02x"}[i%5]
		d := ws.Dialer{Timeout: patience, Header: ws.HandshakeHeaderHTTP(http.Header{
			"Origin":     {fmt.Sprintf("https://origin-%d.example", i)},
			"User-Agent": {fmt.Sprintf("agent-%d", i)},
			"Host":       {fmt.Sprintf("host-%d", i)},
		}), Protocols: []string{fmt.Sprintf("protocol-%d", i)}}
		conn, _, _, err := d.Dial(context.Background(), "ws://"+g.host+fmt.Sprintf(path, i))
		if err == nil {
			conn.Close()
		}
	}
	odd(t, g.host)
	after := series(g.scrape(t))
	for _, name := range after {
		if !slices.Contains(before, name) {
			t.Errorf("a client made the series %s", name)
		}
	}
}

// odd sends requests that no client library would.
func odd(t *testing.T, host string) {
	t.Helper()
	for _, text := range []string{
		"MAKE /echo HTTP/1.1\r\n\r\n", "GET /echo HTTP/7.5\r\n\r\n", "\x16\x03\x01\x02", "GET http://x/\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		_, _ = http.ReadResponse(bufio.NewReader(conn), nil)
		conn.Close()
	}
}
