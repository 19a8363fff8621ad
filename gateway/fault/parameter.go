package fault

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
	return []Parameter{
		{"delay", "0s to 1m", "0s", "every reply leaves so much later"},
		{"jitter", "0s to 1m", "0s", "up to so much later still, drawn for each reply; never reorders"},
		{"rate", "1 to 1000000000", "", "replies leave at so many bytes a second, a long one in pieces"},
		{"drop", "0 to 1", "0", "probability that a reply is not sent"},
		{"dup", "0 to 10", "0", "how many copies follow a reply; a fraction is a probability: 0.1 sends one reply in ten twice"},
		{"reorder", "0 to 1", "0", "probability that a reply changes places with the next, for which it waits at most 1s"},
		{"corrupt", "0 to 1", "0", "probability that one bit of a reply's payload is flipped: a text may stop being UTF-8"},
		{"truncate", "0 to 1", "0", "probability that a reply's payload loses its end"},
		{"fragment", "1 to 1048576", "", "replies leave in frames of at most so many bytes of payload"},
		{"close", "CODE, CODE@N or CODE@DURATION", "", "a close frame with that code (1005: without a body) after open, instead of the N-th reply, or so long after open (at most 10m)"},
		{"reason", "at most 123 bytes of UTF-8", "", "the reason in that close frame"},
		{"rst", "nothing, @N or @DURATION", "", "a TCP reset after open, instead of the N-th reply, or so long after open"},
		{"fin", "nothing, @N or @DURATION", "", "TCP's end without a close frame"},
		{"halfclose", "nothing, @N or @DURATION", "", "TCP's end of the server's side only: it goes on reading for a minute"},
		{"stall", "nothing, @N or @DURATION", "", "from then on nothing is sent and nothing read; after 10m the connection is reset"},
		{"mute-pong", "nothing", "", "pings are not answered"},
		{"mute-close", "nothing", "", "the client's close frame is not answered; after 1m the connection is cut"},
		{"unasked", "at most 1024 bytes of UTF-8", "", "a text message that nobody asked for, after open; no reply to the other faults"},
		{"status", "400 to 599", "", "the handshake is refused with that status"},
		{"retry-after", "0 to 86400", "", "seconds in the Retry-After header of that; alone: with status 503"},
		{"handshake-delay", "0s to 1m", "0s", "the 101, or the refusal, comes so much later"},
		{"seed", "0 to 18446744073709551615", "drawn", "what the draws begin with; comes back in the 101 as X-Echogate-Seed"},
	}
}
