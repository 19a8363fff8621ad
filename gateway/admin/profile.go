package admin

import (
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"
)

// maxProfile is how long a profile may be taken.
const maxProfile = 5 * time.Minute

// profiles puts Go's own profiles in the table.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/profile", timed(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", timed(pprof.Trace))
}

// timed gives an answer the time that the request asks for, in seconds, beside
// the usual one.
func timed(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seconds := 30 // net/http/pprof's
		if text := r.FormValue("seconds"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > int(maxProfile.Seconds()) {
				http.Error(w, "seconds: accepted are 1 to "+strconv.Itoa(int(maxProfile.Seconds())), http.StatusBadRequest)
				return
			}
			seconds = n
		}
		until := time.Now().Add(time.Duration(seconds)*time.Second + answerTime)
		_ = http.NewResponseController(w).SetWriteDeadline(until)
		f(w, r)
	}
}
