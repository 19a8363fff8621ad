package checks

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestPrometheusRules(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "--lint-fatal", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "../prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestPrometheusAlertsTested: every alert is in the unit tests.
func TestPrometheusAlertsTested(t *testing.T) {
	tests := readFile(t, "../prometheus/alerts_test.yml")
	names := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(readFile(t, "../prometheus/alerts.yml"), -1)
	if len(names) == 0 {
		t.Fatal("no alerts")
	}
	for _, m := range names {
		if !strings.Contains(tests, m[1]) {
			t.Errorf("nothing tests %s", m[1])
		}
	}
}

// prometheus is a running Prometheus.
type prometheus struct{ addr string }

// scraping starts Prometheus with the configuration that is shipped, but for the
// address of the gateway and how often it is asked.
func scraping(t *testing.T, admin string) prometheus {
	t.Helper()
	dir := t.TempDir()
	text := readFile(t, "../prometheus/prometheus.yml")
	text = replaced(t, text, "gateway:9999", admin)
	text = replaced(t, text, "_interval: 10s", "_interval: 1s")
	write(t, dir, "alerts.yml", readFile(t, "../prometheus/alerts.yml"))
	p := prometheus{freeAddr(t)}
	spawn(t, exec.Command(tool(t, "prometheus"), "--config.file", write(t, dir, "prometheus.yml", text),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", p.addr, "--log.level", "warn"))
	return p
}

// answer is what Prometheus's API returns, as far as it is looked at here.
type answer struct {
	Status, Error string
	Data          struct {
		ResultType string
		Result     json.RawMessage
	}
}

// query evaluates an expression now, and returns the values that are numbers.
func (p prometheus) query(expr string) ([]float64, error) {
	resp, err := http.PostForm("http://"+p.addr+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return nil, err
	}
	var series []struct{ Value [2]any }
	if a.Status != "success" || a.Data.ResultType != "vector" {
		return nil, fmt.Errorf("%s %s %s", a.Status, a.Data.ResultType, a.Error)
	}
	if err := json.Unmarshal(a.Data.Result, &series); err != nil {
		return nil, err
	}
	var values []float64
	for _, s := range series {
		var v float64
		if _, err := fmt.Sscan(s.Value[1].(string), &v); err == nil && !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return values, nil
}

// TestPrometheusQueries: with a gateway under load of all kinds, every query of
// the dashboard returns data, and every alert is of metrics that there are.
func TestPrometheusQueries(t *testing.T) {
	queries := dashboardQueries(t)
	s := serve(t, "--ping-interval", "1s", "--idle-timeout", "20s", "--max-connections", "200")
	p := scraping(t, s.admin)
	stop := load(t, s)
	defer stop()
	// The longest range of a query is that of the dashboard's rates, here 10 s: as
	// many scrapes have to be there, with load in all of them.
	for scrapes := 15.0; scrapes <= 60; scrapes += 15 { // one a second, for a minute
		eventually(t, fmt.Sprintf("Prometheus has scraped %v times", scrapes), func() bool {
			v, err := p.query(`count_over_time(up{job="echogate"}[2m])`)
			return err == nil && len(v) == 1 && v[0] >= scrapes
		})
	}
	for name, exprs := range queries {
		for _, expr := range exprs {
			values, err := p.query(strings.NewReplacer("$__rate_interval", "10s", "$instance", ".*").Replace(expr))
			if err != nil || len(values) == 0 {
				t.Errorf("%s: %s: no data (%v)", name, expr, err)
			}
		}
	}
	alerts(t, p)
}

// alerts evaluates the alerts' expressions, none of which may be true, and looks
// for each metric in them.
func alerts(t *testing.T, p prometheus) {
	t.Helper()
	resp, err := http.Get("http://" + p.addr + "/api/v1/rules?type=alert")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Query, Health, LastError, State string }
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Data.Groups) != 1 || len(rules.Data.Groups[0].Rules) == 0 {
		t.Fatalf("got %+v, want the alerts", rules)
	}
	for _, r := range rules.Data.Groups[0].Rules {
		if r.Health != "ok" {
			t.Errorf("%s: health %q %s", r.Name, r.Health, r.LastError)
		}
		for _, metric := range metrics(r.Query) {
			if values, err := p.query(metric); err != nil || len(values) == 0 {
				t.Errorf("%s: there is no %s (%v)", r.Name, metric, err)
			}
		}
	}
}

// metrics are the names of metrics in an expression.
func metrics(expr string) []string {
	names := regexp.MustCompile(`\b(?:echogate|process|go)_[a-z_]+|\bup\b`).FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expr, ""), -1)
	sort.Strings(names)
	return names
}

// load keeps a gateway busy with everything that its metrics count, until stop
// is called.
func load(t *testing.T, s *server) (stop func()) {
	t.Helper()
	quit := make(chan struct{})
	var all sync.WaitGroup
	again := func(f func()) {
		all.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
					f()
				}
			}
		})
	}
	for range 20 {
		c := mustConnect(t, direct, s.addrs[0])
		again(func() {
			_ = c.echo("busy")
			time.Sleep(10 * time.Millisecond) // the load's pace, not a wait
		})
		// Clients that only read: pings are for them.
		idle := mustConnect(t, direct, s.addrs[0])
		all.Go(func() { _, _, _ = idle.next() })
		t.Cleanup(func() { idle.Close() })
	}
	again(func() { misbehave(s) })
	return func() {
		close(quit)
		_ = s.Process.Signal(os.Interrupt) // ends those that only read
		all.Wait()
	}
}

// misbehave ends connections in many ways.
func misbehave(s *server) {
	for _, last := range [][]byte{
		ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))),
		ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "")))),
		ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte{0xff}))),
		ws.MustCompileFrame(ws.NewTextFrame([]byte("not masked"))),
		ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(make([]byte, 1000)))),
	} {
		if c, err := connect(direct, s.addrs[0]); err == nil {
			_, _ = c.Write(last)
			_, _, _ = c.next()
			c.Close()
		}
	}
	for _, request := range []string{"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01"} {
		if c, err := net.Dial("tcp", s.addrs[0]); err == nil {
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, request)
			_, _ = c.Read(make([]byte, 512))
			c.Close()
		}
	}
	time.Sleep(100 * time.Millisecond) // the load's pace, not a wait
}
