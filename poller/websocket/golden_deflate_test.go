package websocket

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

const noTakeover = "permessage-deflate; server_no_context_takeover"

// deflateOffers are those of groups 13.1 to 13.7. Group 12 has the first.
var deflateOffers = []string{
	"permessage-deflate",
	noTakeover,
	"permessage-deflate; server_max_window_bits=9",
	"permessage-deflate; server_max_window_bits=15",
	noTakeover + "; server_max_window_bits=9",
	noTakeover + "; server_max_window_bits=15",
	noTakeover + "; server_max_window_bits=9, " + noTakeover + ", permessage-deflate",
}

// deflateShapes are the 18 sizes and fragmentations of each group.
var deflateShapes = []struct{ size, fragment int }{
	{16, 0}, {64, 0}, {256, 0}, {1 << 10, 0}, {4 << 10, 0}, {8 << 10, 0}, {16 << 10, 0}, {32 << 10, 0}, {64 << 10, 0}, {128 << 10, 0},
	{8 << 10, 256}, {16 << 10, 256}, {32 << 10, 256}, {64 << 10, 256}, {128 << 10, 256},
	{128 << 10, 1 << 10}, {128 << 10, 4 << 10}, {128 << 10, 32 << 10},
}

// deflateCases are groups 12 and 13: payloads of five kinds under one offer, and
// one kind under seven. The suite sends each a thousand times; here it is as often
// as 16 KiB hold it, cut in every way.
func deflateCases(add func(golden)) {
	group := func(id, offer string, first byte, payload func(n, i int) string) {
		for k, shape := range deflateShapes {
			var in, out strings.Builder
			for i := range max(16<<10/shape.size, 1) {
				p := payload(shape.size, i)
				z := packed(p)
				n := len(z)
				if shape.fragment > 0 {
					n = max(len(z)*shape.fragment/len(p), 1)
				}
				in.WriteString(split(first|rsv1Bit, z, n))
				out.WriteString(bare(first, p))
			}
			add(golden{id: fmt.Sprintf("%s.%d", id, k+1), offer: offer, turns: echoAndClose(in.String(), out.String()), cause: CausePeer})
		}
	}
	for k, kind := range []func(n, i int) string{json, cyrillic, prose, html} {
		group(fmt.Sprint("12.", k+1), deflateOffers[0], firstText, kind)
	}
	group("12.5", deflateOffers[0], firstBinary, noise)
	for k, offer := range deflateOffers {
		group(fmt.Sprint("13.", k+1), offer, firstText, json)
	}
}

// records repeats a text of one record until there are n bytes, cut at a rune.
func records(n, i int, record string) string {
	var b strings.Builder
	for k := i; b.Len() < n; k++ {
		fmt.Fprintf(&b, record, k*7919%10007, k, k*k%97)
	}
	return strings.ToValidUTF8(b.String()[:n], "?")
}

func json(n, i int) string {
	return records(n, i, `{"id":%d,"name":"user %d","tags":["a","b"],"score":%d.5},`)
}

func cyrillic(n, i int) string {
	return records(n, i, "Мой дядя %d самых честных правил, %d раз не в шутку %d. ")
}

func prose(n, i int) string {
	return records(n, i, "It was the %dth of times, it was the %dth of times, it was an age of %d wisdoms. ")
}

func html(n, i int) string {
	return records(n, i, "<tr class=\"row\"><td>%d</td><td><a href=\"/item/%d\">item %d</a></td></tr>\n")
}

// noise has nothing to compress.
func noise(n, i int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(i)}).Read(b)
	return string(b)
}

// extensionCases are what the suite does not look at; D are ids of our own.
func extensionCases(add func(golden)) {
	const broken = "\xff\xff\xff"
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692 §7.2.3.1
	ten := []turn{{masked(0x41, hello[:3]) + ping("p"), ponged("p")}, {middle(hello[3:5]) + ping("q"), ponged("q")}, {last(hello[5:]), echoed("Hello")}}
	good := func(id, name, in, out string) {
		add(golden{id: id, name: name, offer: deflateOffers[0], turns: echoAndClose(in, out), cause: CausePeer})
	}
	bad := func(id, name, in string, cause Cause) {
		code := closeFor(errorOf(cause)).Code
		add(golden{id: id, name: name, offer: deflateOffers[0], turns: []turn{{text("a"), echoed("a")}, {in, ""}}, rest: text("b"), cause: cause, code: code})
	}
	good("D1", "sent as it is", text("plain")+blob(letters(1000))+begin("pl")+last("ain"), echoed("plain")+bare(firstBinary, letters(1000))+echoed("plain"))
	good("D1", "by turns", packedText("one")+text("two")+packedBlob("three"), echoed("one")+echoed("two")+bare(firstBinary, "three"))
	add(golden{id: "D2", offer: deflateOffers[0], turns: ten, cause: alive})
	good("D2", "of one byte", split(0xc1, packed(letters(500)), 1), echoed(letters(500)))
	good("D2", "long", split(0xc2, packed(letters(300_000)), 70_000), bare(firstBinary, letters(300_000)))
	for name, first := range map[string]byte{"ping": firstPing, "pong": firstPong, "close": firstClose} {
		bad("D3", name, string([]byte{first | rsv1Bit}), CauseProtocol)
	}
	bad("D3", "continuation", begin("a")+"\xc0", CauseProtocol)
	bad("D3", "continuation of a compressed message", masked(0x41, hello[:2])+"\x40", CauseProtocol)
	bad("D3", "continuation of nothing", "\xc0", CauseProtocol)
	bad("D3", "message inside of another", begin("a")+"\xc1", CauseProtocol)
	bad("D3", "RSV2", "\xa1", CauseProtocol)
	bad("D3", "RSV1 and RSV3", "\xd2", CauseProtocol)
	bad("D3", "not masked", "\xc1\x07", CauseProtocol)
	good("D4", "empty", masked(0xc1, "\x00")+masked(0xc2, "\x00"), echoed("")+bare(firstBinary, ""))
	good("D4", "empty fragments", masked(0x41, "")+middle("")+middle("\x00")+last(""), echoed(""))
	bad("D4", "no byte at all", masked(0xc1, ""), CauseDeflate)
	good("D5", "one block", masked(0xc1, hello), echoed("Hello"))
	good("D5", "two fragments", masked(0x41, hello[:3])+last(hello[3:]), echoed("Hello"))
	good("D5", "stored block", masked(0xc1, "\x00\x05\x00\xfa\xffHello\x00"), echoed("Hello"))
	good("D5", "final block", masked(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), echoed("Hello"))
	good("D5", "two blocks", masked(0xc1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), echoed("Hello"))
	good("D5", "final block at the end", masked(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00"), echoed("Hello"))
	good("D5", "final empty block at the end", masked(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x01"), echoed("Hello"))
	good("D5", "final block and more that looks back", masked(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00"+"\x02\x13\x00\x00"), echoed("HelloHello")) // length 5, distance 5
	bad("D5", "too many final blocks", masked(0xc1, strings.Repeat("\x03\x00", finalBlocks)+"\x00"), CauseDeflate)
	bad("D6", "context of the message before", masked(0xc1, "\xf2\x00\x11\x00\x00"), CauseDeflate)
	bad("D6", "reserved block type", masked(0xc1, "\x06\x00"), CauseDeflate)
	bad("D6", "length and its complement", masked(0xc1, "\x00\x05\x00\xfa\xfeHello\x00"), CauseDeflate)
	bad("D6", "no DEFLATE at all", masked(0xc1, broken), CauseDeflate)
	bad("D6", "broken in fragments", masked(0x41, broken)+last(broken), CauseDeflate)
	for i := 1; i < len(hello)-1; i++ {
		bad("D6", fmt.Sprint("truncated at ", i), masked(0xc1, hello[:i]), CauseDeflate)
	}
	bad("D7", "", packedText("valid\xff"), CauseUTF8)
	bad("D7", "half a rune", packedText("valid\xe2\x82"), CauseUTF8)
	bad("D7", "fragments", split(0xc1, packed("\xed\xa0\x80"), 1), CauseUTF8)
	good("D7", "binary", packedBlob("\xff\xfe"), bare(firstBinary, "\xff\xfe"))
	add(golden{id: "D8", offer: deflateOffers[0], turns: []turn{{packedText("early"), echoed("early")}, {closes(1000, ""), closed(1000, "")}}, rest: packedText("late"), cause: CausePeer})
}

// errorOf is what a connection ends with that is counted under a cause.
func errorOf(cause Cause) error {
	for _, e := range []CloseError{ErrDeflate, ErrInvalidUTF8, ErrMessageTooBig} {
		if e.Cause == cause {
			return e
		}
	}
	return errLength
}

// agreed makes the connection one whose client made an offer that was accepted.
func (p *peer) agreed(t testing.TB, offer string) {
	t.Helper()
	o := newPeer(t, p.routes)
	o.feed([]byte(wsHead("/echo", "Sec-WebSocket-Extensions: "+offer)))
	if !o.state.Compressed() {
		t.Fatalf("offered %s, got %q", offer, o.out)
	}
	p.state.setWindow(o.state.window())
	p.opens()
}
