package zoo

import (
	"slices"
	"strings"
)

// messages are the animals whose frames are good and make no good message, or a
// strange one.
var messages = []Animal{
	{Name: "continuation-first", Section: "5.4", Does: "a continuation frame that continues nothing",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x80\x05hello"}},
	{Name: "message-inside", Section: "5.4", Does: "a new message between the fragments of another",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x01\x03hel\x81\x05hello\x80\x02lo"}},
	{Name: "utf8-whole", Section: "8.1", Does: "a text with a byte that no UTF-8 has, 0xff",
		Must: mustFail, Fits: failsUTF8, frames: []string{"\x81\x06hell\xffo"}},
	{Name: "utf8-split", Section: "8.1", Does: "a text whose fragments end inside a character and go on with another",
		Must: mustFail, Fits: failsUTF8, frames: []string{"\x01\x02\xe2\x82\x80\x05hello"}},
	{Name: "utf8-surrogate", Section: "8.1", Does: "a text with a UTF-16 surrogate in three bytes",
		Must: mustFail, Fits: failsUTF8, frames: []string{"\x81\x03\xed\xa0\x80"}},
	{Name: "utf8-overlong", Section: "8.1", Does: "a text with a slash in two bytes",
		Must: mustFail, Fits: failsUTF8, frames: []string{"\x81\x02\xc0\xaf"}},
	{Name: "utf8-cut", Section: "8.1", Does: "a text that ends inside a character",
		Must: mustFail, Fits: failsUTF8, frames: []string{"\x81\x02\xe2\x82"}},
	{Name: "utf8-fragments", Section: "5.4", Does: "a good text that is cut into fragments inside a character",
		Must: mustGoOn, Fits: goesOn, frames: []string{"\x01\x02\xe2\x82\x80\x01\xac"}},
	{Name: "fragments-empty", Section: "5.4", Does: "a text in fragments of which the first, one more and the last are empty",
		Must: mustGoOn, Fits: goesOn, frames: []string{"\x01\x00\x00\x05hello\x00\x00\x80\x00"}},
	{Name: "ping-inside", Section: "5.4", Does: "a ping between the fragments of a text",
		Must: mustGoOn, Fits: goesOn, frames: []string{"\x01\x03hel\x89\x00\x80\x02lo"}},
	{Name: "pong-unasked", Section: "5.5.3", Does: "a pong that answers no ping",
		Must: mustGoOn, Fits: goesOn, frames: []string{"\x8a\x05hello"}},
	{Name: "ping-flood", Section: "5.5.2", Does: "2,000 pings of 125 bytes",
		Must: "go on; it may answer the last ping alone", Fits: goesOn, gap: tick, frames: flood()},
}

// floodPings is how many pings the flood has; they leave a hundred at a time.
const floodPings = 2000

func flood() []string {
	ping := "\x89\x7d" + strings.Repeat("z", 125)
	return slices.Repeat([]string{strings.Repeat(ping, 100)}, floodPings/100)
}
