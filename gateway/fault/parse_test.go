package fault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"echogate/gateway/fault"
	"echogate/poller/websocket"
)

func TestParse(t *testing.T) {
	ok := func(query string, want fault.Spec) {
		t.Helper()
		if got, err := fault.Parse(websocket.Queries(query), nil); err != nil || got != want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", query, got, err, want)
		}
	}
	ok("", fault.Spec{})
	ok("a=b&delays=1&DROP=1", fault.Spec{})
	ok("delay=1m&jitter=0s&rate=1000000000", fault.Spec{Given: true, Delay: time.Minute, Rate: 1e9})
	ok("drop=1&dup=10&reorder=.5&corrupt=0&truncate=1e-3", fault.Spec{Given: true, Drop: 1, Dup: 10, Reorder: .5, Truncate: .001})
	ok("close=1001%407&reason=a+b", fault.Spec{Given: true, Close: fault.Moment{Set: true, Reply: 7}, Code: 1001, Reason: "a b"})
	ok("close=1005@10m", fault.Spec{Given: true, Close: fault.Moment{Set: true, After: 10 * time.Minute}})
	ok("rst@3&fin=@4&halfclose&stall@0.5s", fault.Spec{Given: true,
		RST: fault.Moment{Set: true, Reply: 3}, FIN: fault.Moment{Set: true, Reply: 4},
		HalfClose: fault.Moment{Set: true}, Stall: fault.Moment{Set: true, After: time.Second / 2}})
	ok("mute-pong&mute-close=&unasked=%e2%82%ac", fault.Spec{Given: true, MutePong: true, MuteClose: true, Unasked: "€", HasUnasked: true})
	ok("status=599&retry-after=0&handshake-delay=1ms", fault.Spec{Given: true, Status: 599, HasRetry: true, HandshakeDelay: time.Millisecond})
	ok("status=200&location=ws://x/y%3fz", fault.Spec{Given: true, Status: 200, Location: "ws://x/y?z"})
	ok("seed=18446744073709551615", fault.Spec{Given: true, Seed: 1<<64 - 1, HasSeed: true})
	ok("drop=0.1&drop=2", fault.Spec{Given: true, Drop: .1})
}

// Each bad value is refused by its parameter's name and what that accepts.
func TestParseRefuses(t *testing.T) {
	accepts := map[string]string{}
	for _, p := range fault.Parameters() {
		accepts[p.Name] = p.Accepts
	}
	named := map[string]bool{}
	for _, query := range []string{
		"delay=", "delay=100", "delay=61s", "delay=-1s", "jitter=2m", "rate=0", "rate=1000000001", "rate=1k",
		"drop=1.1", "drop=-0.1", "drop=NaN", "drop=", "dup=10.5", "dup=Inf", "reorder=2", "corrupt=x", "truncate=50%25",
		"fragment=0", "fragment=1048577", "close=", "close=999", "close=1006", "close=1015", "close=5000", "close=1000@0",
		"close=1000@11m", "close=1000@x", "close=66536", "reason=" + strings.Repeat("x", 124), "reason=%ff",
		"rst=1", "rst=@0", "rst=@-1", "rst@@3", "fin=@x", "halfclose=x", "stall=@1000000001", "mute-pong=0", "mute-close=yes",
		"unasked=" + strings.Repeat("x", 1025), "unasked=%80", "status=199", "status=600", "status=101", "retry-after=-1",
		"retry-after=86401", "location=", "location=/a+b", "location=%0d%0aX:y", "location=/%e2%82%ac", "location=" + strings.Repeat("x", 1025), "handshake-delay=2m", "seed=-1", "seed=18446744073709551616", "seed=", "drop=0.1&delay=x",
	} {
		_, err := fault.Parse(websocket.Queries(query), nil)
		var bad *fault.ParameterError
		if !errors.As(err, &bad) {
			t.Errorf("%s was taken: %v", query, err)
			continue
		}
		if accepts[bad.Name] == "" || bad.Accepts != accepts[bad.Name] || err.Error() != bad.Name+": accepted is "+bad.Accepts {
			t.Errorf("%s: got %v", query, err)
		}
		named[bad.Name] = true
		if _, err := fault.Parse(websocket.Queries(query), []string{bad.Name}); err != nil {
			t.Errorf("%s: the route's own was refused: %v", query, err)
		}
	}
	if len(named) != len(accepts) {
		t.Errorf("refusals of %d parameters were tried, there are %d", len(named), len(accepts))
	}
}

// FuzzParse: whatever the query, what is taken is within the caps, and a refusal
// names a parameter that is in the query.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"delay=100ms&jitter=1s&rate=10&drop=.1&dup=2&reorder=1&corrupt=0&truncate=1&fragment=7&seed=1",
		"close=1000@5s&reason=x&rst@3&fin&halfclose=@1&stall", "unasked=%ff&status=503&retry-after=1&handshake-delay=1m",
		"close=1000%40", "dup=1e1", "rate=0x10", "@3=", "rst@", "&&=&", "seed=%31",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		s, err := fault.Parse(websocket.Queries(query), nil)
		var bad *fault.ParameterError
		if errors.As(err, &bad) {
			named := false
			for name := range websocket.Queries(query) {
				name, _, _ = strings.Cut(name, "@")
				named = named || name == bad.Name
			}
			if !named || s != (fault.Spec{}) {
				t.Errorf("%q: refused for %q", query, bad.Name)
			}
			return
		}
		for _, d := range []time.Duration{s.Delay, s.Jitter, s.HandshakeDelay} {
			if d < 0 || d > time.Minute {
				t.Errorf("%q: a wait of %v", query, d)
			}
		}
		for _, p := range []float64{s.Drop, s.Reorder, s.Corrupt, s.Truncate, s.Dup / 10} {
			if !(p >= 0 && p <= 1) {
				t.Errorf("%q: a probability of %v", query, p)
			}
		}
		for _, m := range []fault.Moment{s.Close, s.RST, s.FIN, s.HalfClose, s.Stall} {
			if m.Reply < 0 || m.Reply > 1e9 || m.After < 0 || m.After > 10*time.Minute || !m.Set && m != (fault.Moment{}) {
				t.Errorf("%q: the moment %+v", query, m)
			}
		}
		if s.Rate < 0 || s.Rate > 1e9 || s.Fragment < 0 || s.Fragment > 1<<20 || len(s.Reason) > 123 || len(s.Unasked) > 1024 ||
			s.Code != 0 && !websocket.ValidCode(s.Code) || s.Status != 0 && (s.Status < 200 || s.Status > 599) ||
			len(s.Location) > 1024 || strings.ContainsAny(s.Location, " \r\n\x00") {
			t.Errorf("%q: got %+v", query, s)
		}
	})
}

// Every fault given is counted under its own kind.
func TestCounts(t *testing.T) {
	counts := new(fault.Counts)
	var kinds []string
	for kind, n := range counts.All {
		kinds = append(kinds, kind)
		if n != 0 {
			t.Errorf("%s: %d given", kind, n)
		}
	}
	if len(kinds) != int(fault.Kinds) || slices.Contains(kinds, "") {
		t.Errorf("got kinds %q", kinds)
	}
	s := serve(counts)
	for _, kind := range kinds {
		query := map[string]string{
			"delay": "delay=1s", "jitter": "jitter=1s", "rate": "rate=1000", "fragment": "fragment=1", "close": "close=1000@1",
			"rst": "rst@1", "fin": "fin@1s", "halfclose": "halfclose", "stall": "stall@1", "mute-pong": "mute-pong",
			"mute-close": "mute-close", "unasked": "unasked=x", "status": "retry-after=1", "handshake-delay": "handshake-delay=1s",
		}[kind]
		if query == "" {
			query = kind + "=1"
		}
		before := map[string]uint64{}
		for k, n := range counts.All {
			before[k] = n
		}
		c := s.Dial("/echo?" + query)
		s.Advance(2 * time.Second)
		c.Send(9, "ping")
		c.Send(1, "text")
		c.SendClose(1000, "")
		for k, n := range counts.All {
			if want := before[k]; k == kind && n != want+1 || k != kind && n != want {
				t.Errorf("%s: %s was counted %d times", query, k, n-want)
			}
		}
	}
}
