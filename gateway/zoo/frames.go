package zoo

import (
	"fmt"
	"slices"
	"strings"
)

// frames are the animals that send one frame which RFC 6455 §5 forbids.
var frames = slices.Concat([]Animal{
	{Name: "masked", Section: "5.1", Does: "a masked frame, as only clients send",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"}},
	{Name: "rsv1", Section: "5.2", Does: "RSV1 set, with no extension that gives it a meaning",
		Must: mustFail, Fits: failsFrame, frames: []string{"\xc1\x05hello"}},
	{Name: "rsv2", Section: "5.2", Does: "RSV2 set, with no extension that gives it a meaning",
		Must: mustFail, Fits: failsFrame, frames: []string{"\xa1\x05hello"}},
	{Name: "rsv3", Section: "5.2", Does: "RSV3 set, with no extension that gives it a meaning",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x91\x05hello"}},
}, reserved(), []Animal{
	{Name: "ping-fragmented", Section: "5.5", Does: "a ping without FIN, and its continuation",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x09\x03hel\x80\x02lo"}},
	{Name: "pong-fragmented", Section: "5.5", Does: "a pong without FIN, and its continuation",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x0a\x03hel\x80\x02lo"}},
	{Name: "close-fragmented", Section: "5.5", Does: "a close frame without FIN, and its continuation",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x08\x02\x03\xe8\x80\x03bye"}},
	{Name: "ping-long", Section: "5.5", Does: "a ping of 126 bytes",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x89\x7e\x00\x7e" + strings.Repeat("z", 126)}},
	{Name: "close-long", Section: "5.5", Does: "a close frame of 126 bytes",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x88\x7e\x00\x7e\x03\xe8" + strings.Repeat("z", 124)}},
	{Name: "length-16-short", Section: "5.2", Does: "5 bytes with their length in 16 bits",
		Must: "fail the connection or go on: the shortest form is the sender's duty", Fits: mayFail,
		frames: []string{"\x81\x7e\x00\x05hello"}},
	{Name: "length-64-short", Section: "5.2", Does: "5 bytes with their length in 64 bits",
		Must: "fail the connection or go on: the shortest form is the sender's duty", Fits: mayFail,
		frames: []string{"\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05hello"}},
	{Name: "length-64-medium", Section: "5.2", Does: "200 bytes with their length in 64 bits",
		Must: "fail the connection or go on: the shortest form is the sender's duty", Fits: mayFail,
		frames: []string{"\x81\x7f\x00\x00\x00\x00\x00\x00\x00\xc8" + strings.Repeat("z", 200)}},
	{Name: "length-top-bit", Section: "5.2", Does: "a 64-bit length with its top bit set",
		Must: mustFail, Fits: []Outcome{Failed, Closed1002, Closed1009},
		frames: []string{"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x05hello"}},
	{Name: "length-short", Section: "5.2", Does: "a length of 2 for 5 bytes: the rest is read as a frame",
		Must: mustFail, Fits: failsFrame, frames: []string{"\x81\x02hello"}},
	{Name: "length-long", Section: "7.1.7", Does: "a length of 100 for 5 bytes, and then the end of the stream",
		Must: mustFail, Fits: isLeft, frames: []string{"\x81\x64hello"}, ending: hangsUp},
	{Name: "length-huge", Section: "10.4", Does: "a length of 2^62 for 5 bytes, and no more",
		Must: "fail the connection, or wait for the rest without keeping memory for it",
		Fits: []Outcome{Failed, Closed1002, Closed1009, Waited}, frames: []string{"\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00hello"}, ending: waits},
})

// reserved are the frames of each opcode without a meaning (RFC 6455 §11.8).
func reserved() (all []Animal) {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		all = append(all, Animal{
			Name: fmt.Sprintf("opcode-%d", op), Section: "5.2", Does: fmt.Sprintf("a frame of the reserved opcode %d", op),
			Must: mustFail, Fits: failsFrame, frames: []string{string([]byte{0x80 | op, 5}) + "hello"},
		})
	}
	return all
}
