package fault

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// A Spec is what a query asks for. The zero Spec asks for nothing.
type Spec struct {
	Delay, Jitter  time.Duration
	Rate           int // bytes a second; 0: as they come
	Drop           float64
	Dup            float64
	Reorder        float64
	Corrupt        float64
	Truncate       float64
	Fragment       int // bytes of payload in a frame; 0: all
	Close          Moment
	Code           ws.StatusCode // of Close; 0: no body
	Reason         string
	RST            Moment
	FIN            Moment
	HalfClose      Moment
	Stall          Moment
	MutePong       bool
	MuteClose      bool
	Unasked        string
	HasUnasked     bool
	Status         int // 0: the handshake is not refused
	RetryAfter     int
	HasRetry       bool
	Location       string // empty: none
	HandshakeDelay time.Duration
	Seed           uint64
	HasSeed        bool // else one is drawn

	Given bool // some parameter was there
}

// A Moment is when something happens to a connection: after open, or instead of
// its Reply-th reply, or that long after open.
type Moment struct {
	Set   bool
	Reply int
	After time.Duration
}

// A ParameterError is a parameter with a value that it does not accept.
type ParameterError struct{ Name, Accepts string }

// Error implements error.
func (e *ParameterError) Error() string { return e.Name + ": accepted is " + e.Accepts }

// Parse reads the faults among the parameters of a query, which have been
// decoded. Names in own are the route's; those and all that are no fault are
// ignored. Of a parameter that comes twice the first counts. "rst@3" is the same
// as "rst=@3".
func Parse(query iter.Seq2[string, string], own []string) (Spec, error) {
	var s Spec
	var seen uint32 // bits, by place in the grammar
	for name, value := range query {
		if i := strings.IndexByte(name, '@'); i >= 0 && value == "" {
			name, value = name[:i], name[i:]
		}
		if slices.Contains(own, name) {
			continue
		}
		for i := range grammar {
			g := &grammar[i]
			if g.Name != name || seen&(1<<i) != 0 {
				continue
			}
			seen |= 1 << i
			s.Given = true
			if !g.take(&s, value) {
				return Spec{}, &ParameterError{name, g.Accepts}
			}
		}
	}
	return s, nil
}
