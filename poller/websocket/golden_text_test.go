package websocket

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// greek is text whose runes have one to four bytes.
const greek = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-\u03ba\u1f79\u03c3\u03bc\u03b5-\U00024b62-UTF-8!!"

// textCases are 6.1 to 6.4: where text is cut, and when it fails.
func textCases(add func(golden)) {
	echoes := func(id string, frames ...string) golden {
		return golden{id: id, turns: []turn{{strings.Join(frames[:len(frames)-1], ""), frames[len(frames)-1]}}}
	}
	half := strings.Index(greek, "\u03c3")
	all(add, alive, []golden{
		echoes("6.1.1", text(""), echoed("")),
		echoes("6.1.2", begin(""), middle(""), last(""), echoed("")),
		echoes("6.1.3", begin(""), middle("middle"), last(""), echoed("middle")),
		echoes("6.2.1", text(greek), echoed(greek)),
		echoes("6.2.2", begin(greek[:half]), last(greek[half:]), echoed(greek)),
		{id: "6.2.2", name: "and a message behind it", turns: []turn{{begin(greek[:half]) + last(greek[half:]) + text(greek), echoed(greek) + echoed(greek)}}},
		echoes("6.2.3", split(firstText, greek, 1), echoed(greek)),
		echoes("6.2.4", split(firstText, "\u03ba\u1f79\u03c3\u03bc\u03b5", 1), echoed("\u03ba\u1f79\u03c3\u03bc\u03b5")),
	})
	const surrogate = "\u03ba\u1f79\u03c3\u03bc\u03b5\xed\xa0\x80edited"
	spoiled(add, "6.3.1", "", text(surrogate), 6+13)
	spoiled(add, "6.3.2", "", split(firstText, surrogate, 1), 7*13)
	// Above U+10FFFF: f4 90 cannot become a rune.
	const good, bad, more = "\u03ba\u1f79\u03c3\u03bc\u03b5", "\xf4\x90\x80\x80", "edited"
	at := len(good)
	spoiled(add, "6.4.1", "", begin(good)+middle(bad)+last(more), 6+at+6+2)
	spoiled(add, "6.4.2", "", begin(good)+middle(bad[:2])+last(bad[2:]+more), 6+at+6+2)
	spoiled(add, "6.4.3", "", text(good+bad+more), 6+at+2)
	spoiled(add, "6.4.4", "", text(good+bad[:2]+bad[2:]+more), 6+at+2)
	large := letters(80 << 10)
	spoiled(add, "6.4.3", "large", text(large+bad+more), 14+len(large)+2)
	spoiled(add, "6.4.1", "large", begin(large)+last(bad+more), 14+len(large)+6+2)
}

// spoiled is a conversation that fails with the byte in[:at] ends with.
func spoiled(add func(golden), id, name, in string, at int) {
	hello := turn{text("Hello"), echoed("Hello")}
	add(golden{id: id, name: name, turns: []turn{hello, {in[:at], ""}}, rest: in[at:] + ping(""), cause: CauseUTF8, code: 1007})
}

// tableTextCases are 6.5 to 6.23, one text frame each. When a bad one fails is
// not in the table: badAt says it.
func tableTextCases(add func(golden)) {
	table, err := os.ReadFile("testdata/utf8-cases.tsv")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[1:] {
		var id, digits, expected string
		if n, err := fmt.Sscanf(line, "%s\t%s\t%s", &id, &digits, &expected); n != 3 {
			panic(fmt.Sprint(line, ": ", err))
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			panic(err)
		}
		p := string(b)
		at, whole := badAt(p)
		switch {
		case whole != (expected == "valid"):
			panic("two readings of " + line)
		case whole:
			all(add, alive, []golden{{id: id, turns: []turn{{text(p), echoed(p)}}}})
			all(add, alive, []golden{{id: id, name: "in fragments", turns: []turn{{split(firstText, p, 1), echoed(p)}}}})
		case at == 0: // only the end of the message proves it
			spoiled(add, id, "", text(p), 6+len(p))
			spoiled(add, id, "in fragments", split(firstText, p, 1), 7*len(p))
		default:
			spoiled(add, id, "", text(p), 6+at)
			spoiled(add, id, "in fragments", split(firstText, p, 1), 7*at)
		}
	}
}
