package websocket

import (
	"fmt"
	"strings"
)

// all adds the conversations of a table, each of which ends with the cause
// given unless it has its own.
func all(add func(golden), cause Cause, table []golden) {
	for _, g := range table {
		if g.cause == 0 {
			g.cause = cause
		}
		if g.cause == CauseProtocol {
			g.code = 1002
		}
		add(g)
	}
}

// reservedCases are groups 3 and 4: bits and opcodes without a meaning. What
// was complete before is answered, what follows is not.
func reservedCases(add func(golden)) {
	hello := turn{text("Hello"), echoed("Hello")}
	all(add, CauseProtocol, []golden{
		{id: "3.1", turns: []turn{{"\x91", ""}}, rest: masked(0x91, "x")[1:]},
		{id: "3.2", turns: []turn{hello, {"\xa1", ""}}, rest: masked(0xa1, "x")[1:] + ping("")},
		{id: "3.3", turns: []turn{hello, {"\xb1", ""}}, rest: masked(0xb1, "x")[1:] + ping("")},
		{id: "3.4", turns: []turn{hello, {"\xc1", ""}}, rest: masked(0xc1, "x")[1:] + ping(""), piece: 1},
		{id: "3.5", turns: []turn{{"\xd2", ""}}, rest: masked(0xd2, "x")[1:]},
		{id: "3.6", turns: []turn{{"\xe9", ""}}, rest: masked(0xe9, "x")[1:]},
		{id: "3.7", turns: []turn{{"\xf8", ""}}, rest: masked(0xf8, "")[1:]},
	})
	for group, from := range []int{3, 11} {
		for i := range 5 {
			id, first := fmt.Sprintf("4.%d.%d", group+1, i+1), 0x80|byte(from+i)
			all(add, CauseProtocol, []golden{
				{id: id, name: "empty", turns: []turn{{string([]byte{first}), ""}}, rest: masked(first, "")[1:]},
				{id: id, name: "with payload", turns: []turn{{string([]byte{first}), ""}}, rest: masked(first, "payload")[1:]},
				{id: id, name: "after a text", turns: []turn{hello, {string([]byte{first}), ""}}, rest: masked(first, "x")[1:] + ping("")},
			})
		}
	}
}

// fragmentCases are group 5. What the suite sends whole, frame by frame and byte
// by byte is one conversation here: all are.
func fragmentCases(add func(golden)) {
	two := []turn{{begin("frag"), ""}, {last("ment"), echoed("fragment")}}
	between := []turn{{begin("frag"), ""}, {ping("ping"), ponged("ping")}, {last("ment"), echoed("fragment")}}
	stray := func(first string) []golden {
		return []golden{{turns: []turn{{first, ""}}, rest: "\x80" + text("Hello"), cause: CauseProtocol}}
	}
	table := []golden{
		{id: "5.1", turns: []turn{{"\x09", ""}}, rest: masked(0x09, "frag")[1:] + last("ment"), cause: CauseProtocol},
		{id: "5.2", turns: []turn{{"\x0a", ""}}, rest: masked(0x0a, "frag")[1:] + last("ment"), cause: CauseProtocol},
		{id: "5.15", turns: append(two[:2:2], turn{"\x00", ""}), rest: middle("x")[1:] + text("Hello"), cause: CauseProtocol},
		{id: "5.16", turns: []turn{{"\x00", ""}}, rest: middle("x")[1:] + begin("a") + last("b") + middle("x") + begin("a") + last("b"), cause: CauseProtocol},
		{id: "5.17", turns: []turn{{"\x80", ""}}, rest: last("x")[1:] + begin("a") + last("b") + last("x") + begin("a") + last("b"), cause: CauseProtocol},
		{id: "5.18", turns: []turn{{begin("frag"), ""}, {"\x81", ""}}, rest: text("ment")[1:], cause: CauseProtocol},
	}
	for i := range 3 {
		table = append(table,
			golden{id: fmt.Sprint("5.", 3+i), turns: two},
			golden{id: fmt.Sprint("5.", 6+i), turns: between})
		for k, first := range []string{"\x80", "\x00"} {
			g := stray(first)[0]
			g.id = fmt.Sprint("5.", 9+3*k+i)
			table = append(table, g)
		}
	}
	for i := range 2 {
		table = append(table, golden{id: fmt.Sprint("5.", 19+i), turns: []turn{
			{begin("fragment1"), ""}, {middle("fragment2"), ""}, {ping("ping1"), ponged("ping1")},
			{middle("fragment3"), ""}, {middle("fragment4"), ""}, {ping("ping2"), ponged("ping2")},
			{last("fragment5"), echoed("fragment1fragment2fragment3fragment4fragment5")},
		}})
	}
	all(add, alive, table)
}

// frameCases are group F.
func frameCases(add func(golden)) {
	large := letters(100 << 10)
	all(add, alive, []golden{
		{id: "F1", turns: []turn{{text("a"), echoed("a")}, {"\x81\x05", ""}}, rest: "hello", cause: CauseProtocol},
		{id: "F2", name: "16 bits", turns: []turn{{"\x82\xfe\x00\x7d", ""}}, rest: "\x01\x02\x03\x04" + long(125), cause: CauseProtocol},
		{id: "F2", name: "64 bits", turns: []turn{{"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", ""}}, rest: "\x01\x02\x03\x04", cause: CauseProtocol},
		{id: "F3", turns: []turn{{"\x82\xff\x80", ""}}, rest: "\x00\x00\x00\x00\x00\x00\x01\x01\x02\x03\x04", cause: CauseProtocol},
		{id: "F4", turns: []turn{{"\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04", ""}}, cause: CauseTooBig, code: 1009},
		{id: "F5", name: "16 bits", turns: []turn{{text(letters(300)), echoed(letters(300))}, {blob(""), bare(firstBinary, "")}}},
		{id: "F5", name: "64 bits", turns: []turn{{text(letters(65536)), echoed(letters(65536))}}},
		{id: "F5", name: "64 KiB with its header", turns: []turn{{text(letters(65528)), echoed(letters(65528))}, {text(letters(65529)), echoed(letters(65529))}}},
		{id: "F6", turns: []turn{{maskedWith([4]byte{}, firstText, "open"), echoed("open")}}},
		{id: "F7", turns: []turn{{"\x88\xfe", ""}}, rest: "\x00\x7e\x01\x02\x03\x04" + long(126), cause: CauseProtocol},
		{id: "F7", name: "and in fragments", turns: []turn{{"\x09", ""}}, rest: "\xfe\x00\x7e\x01\x02\x03\x04" + long(126), cause: CauseProtocol},
		{id: "F8", name: "of one byte", turns: []turn{{split(firstText, letters(10000), 1), echoed(letters(10000))}}},
		{id: "F8", name: "of no bytes", turns: []turn{{begin("") + strings.Repeat(middle(""), 9998) + last(""), echoed("")}}},
		{id: "F8", name: "over the limit", turns: []turn{{begin("a") + strings.Repeat(middle(""), 1<<16-1), ""}, {last("b")[:6], ""}}, cause: CauseFragments, code: 1008},
		{id: "F9", turns: inOrder(200)},
		{id: "F10", name: "between", turns: []turn{{begin(large), ""}, {ping("1"), ponged("1")}, {middle(large), ""}, {pong("2"), ""},
			{ping("3"), ponged("3")}, {last(large), echoed(large + large + large)}}},
		{id: "F10", name: "around", turns: []turn{{ping("1"), ponged("1")}, {text(large), echoed(large)}, {ping("2"), ponged("2")},
			{blob("small"), bare(firstBinary, "small")}, {text(large), echoed(large)}, {text("small"), echoed("small")}}},
		{id: "F11", turns: []turn{{closes(1001, "bye"), closed(1001, "bye")}}, rest: text("late") + "\xff\xff\xff", cause: CausePeer},
		{id: "F12", turns: []turn{{text(large), echoed(large)}, {closes(1000, ""), closed(1000, "")}}, rest: ping("late"), cause: CausePeer},
	})
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		for _, first := range []byte{firstText, firstBinary} {
			p := letters(n)
			all(add, alive, []golden{{id: "F13", name: fmt.Sprintf("%#x of %d", first, n), turns: []turn{
				{masked(first, p), bare(first, p)}, {split(first, p, n/3+1), bare(first, p)},
			}}})
		}
	}
}

// inOrder are n messages of growing size, some of them pings.
func inOrder(n int) (turns []turn) {
	for i := range n {
		p := letters(i)
		switch {
		case i%5 == 1 && i <= 125:
			turns = append(turns, turn{ping(p), ponged(p)})
		case i%2 == 0:
			turns = append(turns, turn{text(p), echoed(p)})
		default:
			turns = append(turns, turn{blob(p), bare(firstBinary, p)})
		}
	}
	return turns
}
