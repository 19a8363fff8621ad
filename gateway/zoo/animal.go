package zoo

import (
	"slices"
	"time"
)

// An Animal is a server that does one thing which its clients may not expect.
type Animal struct {
	Name    string    `json:"name"`
	URL     string    `json:"url"`     // its path
	Kind    string    `json:"kind"`    // handshake, frame, message or close
	Section string    `json:"section"` // of RFC 6455, where the rule is
	Does    string    `json:"does"`
	Must    string    `json:"must"` // what a client must do
	Fits    []Outcome `json:"fits"` // what a client that does so is counted under

	// What is sent. A segment is a write of its own, and a TCP segment where the
	// network leaves it so.
	head   func(answer) []string // segments instead of a good 101; nil: a good one
	frames []string              // segments behind it
	gap    time.Duration         // between two segments; 0: they are written one after the other
	ending ending
}

// ending is how an animal goes on when everything is sent.
type ending uint8

const (
	listens ending = iota // a ping is sent, whose pong shows that the client went on
	waits                 // nothing more is sent
	closed                // a close frame was sent: the client's ends the connection
	mute                  // it waits for a close frame and never answers it
	hangsUp               // it ends TCP
)

// Animals returns all animals, in the order of the page.
func Animals() []Animal { return slices.Clone(animals) }

// animals is the table. It does not change: an animal is known by its place.
var animals = slices.Concat(
	complete("handshake", handshakes),
	complete("frame", frames),
	complete("message", messages),
	complete("close", closes),
)

// places are the animals' places by name.
var places = func() map[string]int {
	m := make(map[string]int, len(animals))
	for i := range animals {
		m[animals[i].Name] = i
	}
	return m
}()

// complete fills in what follows from an animal's table and name, and the ping.
func complete(kind string, table []Animal) []Animal {
	all := slices.Clone(table)
	for i := range all {
		a := &all[i]
		a.Kind, a.URL = kind, "/zoo/"+a.Name
		if a.ending == listens {
			a.frames = append(slices.Clone(a.frames), call)
		}
	}
	return all
}

// call is the ping behind the wrong thing, token its payload.
const (
	token = "zoo"
	call  = "\x89\x03" + token
)

// tick is the shortest gap that the loop's wheel makes: the next segment waits
// for it in its own event, so that the one before has left.
const tick = 10 * time.Millisecond

// bytewise is every byte in a segment of its own.
func bytewise(s string) []string {
	all := make([]string, len(s))
	for i := range all {
		all[i] = s[i : i+1]
	}
	return all
}

// What a client must do, and what that is counted under.
const (
	mustFail   = "fail the connection"
	mustGoOn   = "go on"
	mustAnswer = "answer the close frame with its code"
)

var (
	fails       = []Outcome{Failed}
	failsFrame  = []Outcome{Failed, Closed1002}
	failsUTF8   = []Outcome{Failed, Closed1007, Closed1002}
	failsReason = []Outcome{Failed, Closed1002, Closed1007}
	goesOn      = []Outcome{WentOn}
	answers     = []Outcome{Closed1000}
	isLeft      = []Outcome{HungUp, Failed}
	mayFail     = []Outcome{Failed, Closed1002, WentOn}
)
