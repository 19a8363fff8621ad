package admin

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"echogate/poller"
)

// blockedTime is for how long a loop may show no life before the gateway is not
// healthy: long enough for a machine that stutters, and short enough to be seen
// within five seconds by who asks every two or three.
const blockedTime = 2 * time.Second

// healthz answers whether every loop answers: 200 or 503, with the reason.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, sick(s.gateway.Health()))
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

// sick tells of loops that show no life.
func sick(loops []poller.LoopHealth) (wrong []string) {
	for i, l := range loops {
		if l.Age <= blockedTime {
			continue
		}
		by := "a handler"
		if l.Route != "" {
			by = "the handler of " + l.Route
		}
		wrong = append(wrong, fmt.Sprintf("loop %d has shown no life for %s: %s blocks it", i, l.Age.Round(time.Millisecond), by))
	}
	return wrong
}

// unready tells why no more connections are welcome. Who has asked just before
// another process took over is answered what holds for the address: the other
// one was ready.
func (s *Server) unready() (wrong []string) {
	if s.yielded.Load() {
		return nil
	}
	r, most := s.gateway.Readiness(), s.options.Load().ReadyConnections
	switch {
	case s.draining():
		wrong = append(wrong, "draining")
	case !r.Listening:
		wrong = append(wrong, "not listening")
	case r.Paused:
		wrong = append(wrong, "not accepting: descriptors or memory have run out")
	}
	if most > 0 && r.Connections > most {
		wrong = append(wrong, fmt.Sprintf("%d connections, more than the %d of --ready-connections", r.Connections, most))
	}
	return wrong
}

// draining reports whether all connections are sent away.
func (s *Server) draining() bool { return s.leaving.Load() || s.gateway.Readiness().Draining }
