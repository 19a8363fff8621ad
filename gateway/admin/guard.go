package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// everybodys are the paths that are answered to everybody who reaches the port:
// what load balancers and Prometheus ask for.
var everybodys = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// guard decides who is answered what.
func (s *Server) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "frame-ancestors 'none'")
		if why := s.refuses(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuses is why a request is not answered, empty if it is.
func (s *Server) refuses(r *http.Request) string {
	changes := r.Method != http.MethodGet && r.Method != http.MethodHead
	if everybodys[r.URL.Path] && !changes || overUnix(r) {
		return ""
	}
	open := s.options.Load().Open
	if !open && !fromLoopback(r) {
		return "only /healthz, /readyz and /metrics are answered to other hosts; --admin-open opens the rest"
	}
	// A page of another site whose name was made to point here (DNS rebinding)
	// is of our origin for the browser, but says that name as its Host. An
	// operator who opened the port may have given it a name, for looking.
	if (changes || !open) && !literal(r.Host) {
		return "the Host of such a request must be an address or localhost"
	}
	// The answer to another site's script is kept from it, but a profile is work.
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return "requests of another site's page are not answered"
	}
	return ""
}

// overUnix reports whether a request came over a Unix socket, which no browser
// reaches: its mode is who may ask.
func overUnix(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

// fromLoopback reports whether the client is on this machine.
func fromLoopback(r *http.Request) bool {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && a.Addr().IsLoopback()
}

// literal reports whether a Host is an address or localhost.
func literal(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || strings.EqualFold(name, "localhost")
}
