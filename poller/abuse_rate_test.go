package poller

import (
	"testing"
	"time"
)

// TestGate: a bucket is full at first, fills at the rate and never above the
// burst; what was not used can be put back.
func TestGate(t *testing.T) {
	var g gate
	takes := func(want int, at time.Duration) {
		t.Helper()
		got := 0
		for got <= want && g.take(at, 10, 3) {
			got++
		}
		if got != want {
			t.Errorf("at %v: got %d, want %d", at, got, want)
		}
	}
	takes(3, time.Hour)
	takes(0, time.Hour+99*time.Millisecond)
	takes(1, time.Hour+100*time.Millisecond)
	takes(2, time.Hour+300*time.Millisecond)
	takes(3, 2*time.Hour)
	g.putBack()
	takes(1, 2*time.Hour)
}

// TestAcceptRate is E5 of the limits: who comes too fast waits in the backlog,
// and is served later.
func TestAcceptRate(t *testing.T) {
	const rate, burst, clients = 10, 5, 20
	s := start(t, echoTable, func(c *Config) { c.AcceptRate, c.AcceptBurst = rate, burst })
	began := time.Now()
	var all []*client
	for range clients {
		all = append(all, s.connect())
	}
	for _, c := range all {
		c.upgrade("/echo").echo("served")
	}
	if took, least := time.Since(began), (clients-burst)*time.Second/rate; took < least-tickTime {
		t.Errorf("%d connections were accepted in %v, want at least %v", clients, took, least)
	}
	s.until("all count", func(got Stats) bool { return got.Accepted == clients })
}

// TestAcceptRateAtTheEnd: a drain serves who has waited.
func TestAcceptRateAtTheEnd(t *testing.T) {
	s := start(t, echoTable, func(c *Config) {
		c.AcceptRate, c.AcceptBurst, c.Drain, c.DrainTimeout = 1, 1, 2*time.Second, patience
	})
	s.dial("/echo").echo("first")
	waiting := []*client{s.connect(), s.connect(), s.connect()}
	for _, c := range waiting {
		c.write([]byte(request("/echo")))
	}
	s.stop()
	for _, c := range waiting {
		c.upgraded().wantClose(1001)
		c.finish(1001)
	}
}
