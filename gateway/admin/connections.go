package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"echogate/poller"
)

const (
	defaultListed = 100
	maxListed     = 10_000 // 1 MB of JSON
)

// connection is one of the list. Times are in seconds.
type connection struct {
	ID       string  `json:"id"`
	Loop     int     `json:"loop"`
	Route    string  `json:"route"` // empty before the upgrade
	Remote   string  `json:"remote"`
	State    string  `json:"state"`
	Age      float64 `json:"age"`
	Idle     float64 `json:"idle"`
	Messages uint32  `json:"messages"`
	Backlog  int     `json:"backlog"` // bytes
	Paused   bool    `json:"paused"`
}

// list is the answer of /connections.
type list struct {
	Open        int          `json:"open"`    // of which these are some
	Missing     []int        `json:"missing"` // loops that did not answer in time
	Connections []connection `json:"connections"`
}

// connections lists some of the connections, as JSON or, for who does not ask
// for that, as a table.
func (s *Server) connections(w http.ResponseWriter, r *http.Request) {
	limit := defaultListed
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListed {
			http.Error(w, fmt.Sprintf("limit: %q: accepted are 1 to %d", text, maxListed), http.StatusBadRequest)
			return
		}
		limit = n
	}
	l := s.list(limit)
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(l)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	l.write(w)
}

// list gathers at most limit connections.
func (s *Server) list(limit int) list {
	all, missing := s.gateway.Connections(limit)
	l := list{
		Open: s.gateway.Readiness().Connections, Missing: append([]int{}, missing...),
		Connections: make([]connection, len(all)),
	}
	for i := range all {
		l.Connections[i] = listed(&all[i])
	}
	return l
}

func listed(c *poller.Connection) connection {
	one := connection{
		ID:   fmt.Sprintf("%d.%d", c.Handle.FD, c.Handle.Gen),
		Loop: c.Loop, Route: c.Route, State: c.State.String(), Age: c.Age.Seconds(), Idle: c.Idle.Seconds(),
		Messages: c.Messages, Backlog: c.Backlog, Paused: c.Held || c.State == poller.StatePaused,
	}
	if c.Remote.IsValid() {
		one.Remote = c.Remote.String()
	}
	return one
}

// write writes the list as a table.
func (l *list) write(w http.ResponseWriter) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tLOOP\tROUTE\tREMOTE\tSTATE\tAGE\tIDLE\tMESSAGES\tBACKLOG\tPAUSED")
	for _, c := range l.Connections {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", c.ID, c.Loop, orDash(c.Route), orDash(c.Remote), c.State,
			seconds(c.Age), seconds(c.Idle), c.Messages, c.Backlog, map[bool]string{true: "yes", false: "–"}[c.Paused])
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\n%d of %d connections; ?limit=N lists more, Accept: application/json gives JSON\n", len(l.Connections), l.Open)
	for _, i := range l.Missing {
		fmt.Fprintf(w, "loop %d did not answer: its connections are not listed\n", i)
	}
}

func seconds(s float64) string {
	return (time.Duration(s*1000) * time.Millisecond).String()
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
