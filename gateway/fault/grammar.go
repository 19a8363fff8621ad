package fault

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// A Parameter is one of a query, as its documentation has it.
type Parameter struct {
	Name    string `json:"name"`
	Accepts string `json:"accepts"`
	Default string `json:"default"`
	About   string `json:"about"`
}

// Parameters are the faults, in the order of the grammar, which is that of the
// draws.
func Parameters() []Parameter {
	all := make([]Parameter, len(grammar))
	for i := range grammar {
		all[i] = grammar[i].Parameter
	}
	return all
}

// The caps. A client may ask for a fault, not for the server's memory or time.
const (
	mostDelay    = time.Minute
	mostMoment   = 10 * time.Minute
	mostRate     = 1e9
	mostCopies   = 10
	mostFragment = 1 << 20
	mostReply    = 1e9
	mostReason   = 123 // of a close frame: RFC 6455 §5.5
	mostUnasked  = 1024
	mostRetry    = 86400
	mostLocation = 1024
)

const (
	moments = "nothing, @N or @DURATION (at most 10m)"
	text123 = "at most 123 bytes of UTF-8"
	codes   = "CODE, CODE@N or CODE@DURATION (at most 10m); a CODE is 1000 to 1003, 1005, 1007 to 1014 or 3000 to 4999"
)

// grammar is every parameter with what reads its value: false refuses it.
var grammar = []struct {
	Parameter
	take func(s *Spec, v string) bool
}{
	{Parameter{"delay", "a duration from 0s to 1m", "0s", "every reply leaves so much later"},
		func(s *Spec, v string) bool { return duration(&s.Delay, v, mostDelay) }},
	{Parameter{"jitter", "a duration from 0s to 1m", "0s", "and up to so much later still, drawn for each reply; never reorders"},
		func(s *Spec, v string) bool { return duration(&s.Jitter, v, mostDelay) }},
	{Parameter{"rate", "1 to 1000000000", "", "replies leave at so many bytes a second, a long one in pieces"},
		func(s *Spec, v string) bool { return number(&s.Rate, v, 1, mostRate) }},
	{Parameter{"drop", "0 to 1", "0", "probability that a reply is not sent"},
		func(s *Spec, v string) bool { return real(&s.Drop, v, 1) }},
	{Parameter{"dup", "0 to 10", "0", "copies that follow a reply; a fraction is a probability: 0.1 sends one reply in ten twice"},
		func(s *Spec, v string) bool { return real(&s.Dup, v, mostCopies) }},
	{Parameter{"reorder", "0 to 1", "0", "probability that a reply changes places with the next, for which it waits at most 1s"},
		func(s *Spec, v string) bool { return real(&s.Reorder, v, 1) }},
	{Parameter{"corrupt", "0 to 1", "0", "probability that one bit of a reply's payload is flipped: a text may stop being UTF-8"},
		func(s *Spec, v string) bool { return real(&s.Corrupt, v, 1) }},
	{Parameter{"truncate", "0 to 1", "0", "probability that a reply's payload loses its end: a text may end inside a character"},
		func(s *Spec, v string) bool { return real(&s.Truncate, v, 1) }},
	{Parameter{"fragment", "1 to 1048576", "", "replies leave in frames of at most so many bytes of payload"},
		func(s *Spec, v string) bool { return number(&s.Fragment, v, 1, mostFragment) }},
	{Parameter{"close", codes, "", "a close frame with that code (1005: without a body) after open, instead of the N-th reply, or so long after open"},
		func(s *Spec, v string) bool { return s.takeClose(v) }},
	{Parameter{"reason", text123, "", "the reason in that close frame"},
		func(s *Spec, v string) bool { return text(&s.Reason, v, mostReason) }},
	{Parameter{"rst", moments, "", "a TCP reset after open, instead of the N-th reply, or so long after open"},
		func(s *Spec, v string) bool { return s.RST.take(v) }},
	{Parameter{"fin", moments, "", "at such a moment TCP's end without a close frame"},
		func(s *Spec, v string) bool { return s.FIN.take(v) }},
	{Parameter{"halfclose", moments, "", "at such a moment TCP's end of the server's side alone: it goes on reading for a minute"},
		func(s *Spec, v string) bool { return s.HalfClose.take(v) }},
	{Parameter{"stall", moments, "", "from such a moment on nothing is sent and nothing read; after 10m the connection is reset"},
		func(s *Spec, v string) bool { return s.Stall.take(v) }},
	{Parameter{"mute-pong", "nothing", "", "pings are not answered"},
		func(s *Spec, v string) bool { return flag(&s.MutePong, v) }},
	{Parameter{"mute-close", "nothing", "", "the client's close frame is not answered; after 1m the connection is cut"},
		func(s *Spec, v string) bool { return flag(&s.MuteClose, v) }},
	{Parameter{"unasked", "at most 1024 bytes of UTF-8", "", "a text message that nobody asked for, right after open; it counts as no reply"},
		func(s *Spec, v string) bool { s.HasUnasked = true; return text(&s.Unasked, v, mostUnasked) }},
	{Parameter{"status", "200 to 599", "", "the handshake is refused with that status: 101 alone would be no refusal"},
		func(s *Spec, v string) bool { return number(&s.Status, v, 200, 599) }},
	{Parameter{"retry-after", "0 to 86400", "", "seconds in the Retry-After header of a refusal; alone: one with status 503"},
		func(s *Spec, v string) bool { s.HasRetry = true; return number(&s.RetryAfter, v, 0, mostRetry) }},
	{Parameter{"location", "at most 1024 visible characters of ASCII", "", "the Location header of a refusal: where a redirect leads; alone: one with status 302"},
		func(s *Spec, v string) bool { return visible(&s.Location, v, mostLocation) }},
	{Parameter{"handshake-delay", "a duration from 0s to 1m", "0s", "the 101, or the refusal, comes so much later"},
		func(s *Spec, v string) bool { return duration(&s.HandshakeDelay, v, mostDelay) }},
	{Parameter{"seed", "0 to 18446744073709551615", "drawn", "what the draws begin with; the one in use comes back in the 101 as X-Echogate-Seed"},
		func(s *Spec, v string) bool { return s.takeSeed(v) }},
}

func duration(at *time.Duration, v string, most time.Duration) bool {
	d, err := time.ParseDuration(v)
	*at = d
	return err == nil && d >= 0 && d <= most
}

func number(at *int, v string, least, most int) bool {
	n, err := strconv.Atoi(v)
	*at = n
	return err == nil && n >= least && n <= most
}

func real(at *float64, v string, most float64) bool {
	f, err := strconv.ParseFloat(v, 64)
	*at = f
	return err == nil && !math.IsNaN(f) && f >= 0 && f <= most
}

func text(at *string, v string, most int) bool {
	*at = v
	return len(v) <= most && utf8.ValidString(v)
}

// visible reads what may stand in a header as it is.
func visible(at *string, v string, most int) bool {
	*at = v
	for _, b := range []byte(v) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return v != "" && len(v) <= most
}

func flag(at *bool, v string) bool {
	*at = true
	return v == ""
}

// take reads "", "@3" or "@5s".
func (m *Moment) take(v string) bool {
	*m = Moment{Set: true}
	if v == "" {
		return true
	}
	v, ok := strings.CutPrefix(v, "@")
	if n, err := strconv.Atoi(v); err == nil {
		m.Reply = n
		return ok && n >= 1 && n <= mostReply
	}
	return ok && duration(&m.After, v, mostMoment)
}

// takeClose reads "1001" and "1001@3".
func (s *Spec) takeClose(v string) bool {
	code, moment := v, ""
	if i := strings.IndexByte(v, '@'); i >= 0 {
		code, moment = v[:i], v[i:]
	}
	n, err := strconv.ParseUint(code, 10, 16)
	if s.Code = ws.StatusCode(n); s.Code == ws.StatusNoStatusRcvd {
		s.Code = 0
	} else if !websocket.ValidCode(s.Code) {
		return false
	}
	return err == nil && s.Close.take(moment)
}

func (s *Spec) takeSeed(v string) bool {
	n, err := strconv.ParseUint(v, 10, 64)
	s.Seed, s.HasSeed = n, true
	return err == nil
}
