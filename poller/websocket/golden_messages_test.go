package websocket

import (
	"fmt"
	"slices"
	"strings"
)

// echoAndClose is a message, its echo, and a clean end.
func echoAndClose(in, out string) []turn {
	return []turn{{in, out}, {closes(1000, ""), closed(1000, "")}}
}

// messageCases are group 1, messages of one frame, and 10.1.1.
func messageCases(add func(golden)) {
	sizes := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
	for i, n := range sizes {
		p, piece := letters(n), 0
		if i == len(sizes)-1 {
			piece = 997
		}
		add(golden{id: fmt.Sprint("1.1.", i+1), turns: echoAndClose(text(p), echoed(p)), cause: CausePeer, piece: piece})
		p = strings.Repeat("\xfe\x00\xff", n/3+1)[:n]
		add(golden{id: fmt.Sprint("1.2.", i+1), turns: echoAndClose(blob(p), bare(firstBinary, p)), cause: CausePeer, piece: piece})
	}
	p := letters(64 << 10)
	add(golden{id: "10.1.1", turns: echoAndClose(split(firstText, p, 1300), echoed(p)), cause: CausePeer})
}

// pingCases are group 2.
func pingCases(add func(golden)) {
	ten := strings.Repeat(ping("payload"), 10)
	for _, g := range []golden{
		{id: "2.1", turns: []turn{{ping(""), ponged("")}}},
		{id: "2.2", turns: []turn{{ping("Hello, world!"), ponged("Hello, world!")}}},
		{id: "2.3", turns: []turn{{ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), ponged("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}}},
		{id: "2.4", turns: []turn{{ping(letters(125)), ponged(letters(125))}}},
		{id: "2.5", turns: []turn{{"\x89\xfe", ""}}, rest: ping(letters(126))[2:], cause: CauseProtocol, code: 1002},
		{id: "2.6", turns: []turn{{ping(letters(125)), ponged(letters(125))}}, piece: 1},
		{id: "2.7", turns: []turn{{pong(""), ""}}},
		{id: "2.8", turns: []turn{{pong("unasked"), ""}}},
		{id: "2.9", turns: []turn{{pong("unasked"), ""}, {ping("asked"), ponged("asked")}}},
		{id: "2.10", turns: []turn{{ten, strings.Repeat(ponged("payload"), 10)}}},
		{id: "2.11", turns: slices.Repeat([]turn{{ping("payload"), ponged("payload")}}, 10), piece: 1},
	} {
		if g.cause == 0 {
			g.turns = append(g.turns, turn{closes(1000, ""), closed(1000, "")})
			g.cause = CausePeer
		}
		add(g)
	}
}

// volumeCases are group 9: large messages, many fragments, many round trips.
// Its message limit is that of the route they are sent to.
func volumeCases(add func(golden)) {
	const KiB, MiB = 1 << 10, 1 << 20
	for i, first := range []byte{firstText, firstBinary} {
		whole := func(id string, n, piece int) {
			p := letters(n)
			add(golden{id: id, turns: echoAndClose(masked(first, p), bare(first, p)), cause: CausePeer, piece: piece})
		}
		for k, n := range []int{64 * KiB, 256 * KiB, MiB, 4 * MiB, 8 * MiB, 16 * MiB} {
			whole(fmt.Sprintf("9.%d.%d", 1+i, k+1), n, 0)
		}
		for k, n := range []int{64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB, 4 * MiB} {
			p := letters(4 * MiB)
			turns := echoAndClose(split(first, p, n), bare(first, p))
			add(golden{id: fmt.Sprintf("9.%d.%d", 3+i, k+1), turns: turns, cause: CausePeer})
		}
		for k, n := range []int{64, 128, 256, 512, 1024, 2048} {
			whole(fmt.Sprintf("9.%d.%d", 5+i, k+1), MiB, n)
		}
		for k, n := range []int{0, 16, 64, 256, 1024, 4096} {
			p := letters(n)
			turns := append(slices.Repeat([]turn{{masked(first, p), bare(first, p)}}, 1000), turn{closes(1000, ""), closed(1000, "")})
			add(golden{id: fmt.Sprintf("9.%d.%d", 7+i, k+1), turns: turns, cause: CausePeer})
		}
	}
}
