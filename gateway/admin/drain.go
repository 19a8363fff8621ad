package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	defaultOver = 10 * time.Second
	maxOver     = 24 * time.Hour
)

// rehearsal is the drain that was asked for last.
type rehearsal struct {
	mu    sync.Mutex
	until time.Time
}

// begin reports whether a drain may begin: one at a time, so that what is seen
// follows from what was asked for.
func (r *rehearsal) begin(over time.Duration) (until time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.until) {
		return r.until, false
	}
	r.until = now.Add(over)
	return r.until, true
}

// drain sends a share of the connections away, as a stop would, so that an
// operator sees how clients take it; the gateway goes on.
func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	share, over, err := drainQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.draining() {
		http.Error(w, "the gateway drains already", http.StatusConflict)
		return
	}
	until, ok := s.rehearsal.begin(over)
	if !ok {
		http.Error(w, "a drain is under way for "+time.Until(until).Round(time.Millisecond).String(), http.StatusConflict)
		return
	}
	open := s.gateway.Stats().Connections
	s.gateway.Drain(share, over)
	s.log.Info("draining a share of the connections", "percent", 100*share, "over", over.String(), "connections", open, "asked_by", r.RemoteAddr)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, "sending %g %% of %d connections away over %s\n", 100*share, open, over)
}

// drainQuery reads percent, as a share of one, and over.
func drainQuery(q url.Values) (share float64, over time.Duration, err error) {
	for name := range q {
		if name != "percent" && name != "over" {
			return 0, 0, fmt.Errorf("%q: accepted are percent and over", name)
		}
	}
	percent, err := strconv.ParseFloat(q.Get("percent"), 64)
	if err != nil || !(percent > 0 && percent <= 100) {
		return 0, 0, fmt.Errorf("percent: %q: accepted are numbers above 0, up to 100", q.Get("percent"))
	}
	over = defaultOver
	if q.Has("over") {
		over, err = time.ParseDuration(q.Get("over"))
	}
	if err != nil || over < 0 || over > maxOver {
		return 0, 0, fmt.Errorf("over: %q: accepted are durations as 30s or 5m, up to %s", q.Get("over"), maxOver)
	}
	return percent / 100, over, nil
}
