package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"echogate/poller"
	"echogate/poller/websocket"
)

// live is what the page shows: counters, which it turns into rates itself, and
// what is now. Times are in seconds.
type live struct {
	Version   string            `json:"version"`
	Uptime    float64           `json:"uptime"`
	Healthy   bool              `json:"healthy"`
	Ready     bool              `json:"ready"`
	Wrong     []string          `json:"wrong"` // why not
	Open      int               `json:"connections"`
	Handshake int               `json:"handshake"`
	Limit     int               `json:"limit"`
	Accepted  uint64            `json:"accepted"`
	Paused    int               `json:"paused"`
	Pauses    uint64            `json:"pauses"`
	Messages  flow              `json:"messages"`
	Bytes     flow              `json:"bytes"`   // of payload
	Backlog   int               `json:"backlog"` // bytes of unsent output
	Buffered  int               `json:"buffered"`
	Resident  int               `json:"resident"` // bytes of the process, and at its start
	Before    int               `json:"before"`
	Lag       lag               `json:"lag"`
	Loops     []loop            `json:"loops"`
	Routes    []route           `json:"routes"`
	Refused   map[string]uint64 `json:"refused"` // connections and requests, by reason
	Closed    map[string]uint64 `json:"closed"`  // connections, by reason
}

// flow is a counter by direction.
type flow struct {
	In  uint64 `json:"in"`
	Out uint64 `json:"out"`
}

// route is the connections of a route, by state.
type route struct {
	Route   string `json:"route"`
	Open    int    `json:"open"`
	Paused  int    `json:"paused"`
	Closing int    `json:"closing"`
}

// lag is how late ticks came: counters for each bound, and one above.
type lag struct {
	Bounds []float64 `json:"bounds"`
	Ticks  []uint64  `json:"ticks"`
	Sum    float64   `json:"sum"`
}

// loop is an event loop.
type loop struct {
	Connections int     `json:"connections"`
	Busy        float64 `json:"busy"`   // share of the time
	Age         float64 `json:"age"`    // of its last sign of life
	Asleep      bool    `json:"asleep"` // it has nothing to wait for
	Route       string  `json:"route"`  // of the handler that blocks it
}

// live answers the page's question.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.now())
}

// now asks the loops once.
func (s *Server) now() *live {
	f := s.facts()
	l := &live{
		Version: s.version, Uptime: time.Since(s.start).Seconds(),
		Healthy: len(f.sick) == 0, Ready: len(f.unready) == 0, Wrong: slices.Concat([]string{}, f.sick, f.unready),
		Open: f.Connections, Handshake: f.HalfOpen, Limit: f.config.MaxConnections, Accepted: f.Accepted,
		Paused: f.Paused, Pauses: f.Pauses, Backlog: f.Backlog, Buffered: f.Buffered, Resident: resident(), Before: s.resident,
		Lag: lag{Ticks: f.Lag[:], Sum: float64(f.LagSum) / 1000}, Routes: []route{},
		Refused: make(map[string]uint64), Closed: make(map[string]uint64),
	}
	for _, bound := range poller.LagBounds {
		l.Lag.Bounds = append(l.Lag.Bounds, bound.Seconds())
	}
	for i, n := range f.PerLoop {
		h := f.health[i]
		l.Loops = append(l.Loops, loop{Connections: n, Busy: f.Utilization[i], Age: h.Age.Seconds(), Asleep: h.Asleep, Route: h.Route})
	}
	l.traffic(&f)
	l.reasons(&f)
	return l
}

// traffic adds up the opcodes, and leaves out routes without connections.
func (l *live) traffic(f *facts) {
	for op := range dataOpcodes {
		l.Messages.In += f.Wire.In[op].Frames
		l.Messages.Out += f.Wire.Out[op].Frames
		l.Bytes.In += f.Wire.In[op].Bytes
		l.Bytes.Out += f.Wire.Out[op].Bytes
	}
	for _, r := range f.Routes {
		one := route{r.Route, r.Connections[poller.StateOpen], r.Connections[poller.StatePaused], r.Connections[poller.StateClosing]}
		if one.Open+one.Paused+one.Closing > 0 {
			l.Routes = append(l.Routes, one)
		}
	}
}

// reasons are why connections and requests were refused, and why connections
// ended. A connection that there was no place for is refused once its request
// has come, and counted as both.
func (l *live) reasons(f *facts) {
	for i, n := range f.Stats.Refused {
		l.Refused[poller.Refused(i).String()] = n
	}
	for i, n := range f.Rejected {
		if reason := websocket.Reject(i); reason != websocket.RejectServer {
			l.Refused[reason.String()] = n
		}
	}
	for i, n := range f.Stats.Closed {
		l.Closed[websocket.Cause(i).String()] = n
	}
}

// resident is the memory of this process in bytes (proc(5), statm); 0 when it
// cannot be told.
func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}
