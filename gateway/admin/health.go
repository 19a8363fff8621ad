package admin

import (
	"fmt"
	"net/http"
	"strings"
)

// healthz answers whether every loop answers: 200 or 503, with the reason.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.sick())
}

// readyz answers whether more connections are welcome.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.unready())
}

// answer writes 200, or 503 with what is wrong.
func answer(w http.ResponseWriter, wrong []string) {
	if len(wrong) > 0 {
		http.Error(w, strings.Join(wrong, "\n"), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// sick tells of loops that do not answer. One that has drained has ended.
func (s *Server) sick() []string {
	if s.leaving.Load() {
		return nil
	}
	if silent := s.gateway.Loops() - len(s.gateway.Stats().PerLoop); silent > 0 {
		return []string{fmt.Sprintf("%d of %d loops do not answer: a handler blocks", silent, s.gateway.Loops())}
	}
	return nil
}

// unready tells why no more connections are welcome.
func (s *Server) unready() []string {
	if s.leaving.Load() {
		return []string{"draining"}
	}
	most := s.options.Load().ReadyConnections
	if open := s.gateway.Stats().Connections; most > 0 && open > most {
		return []string{fmt.Sprintf("%d connections, more than the %d of --ready-connections", open, most)}
	}
	return nil
}
