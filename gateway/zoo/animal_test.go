//go:build linux

package zoo

import (
	"slices"
	"strings"
	"testing"
)

// goes is the ping behind the wrong thing.
const goes = `; fin 9 3 "zoo"`

// sends is what each animal sends behind a good 101, spelled from the raw bytes.
var sends = map[string]string{
	"masked":           `fin 1 5 masked "Hello"` + goes,
	"rsv1":             `fin rsv1 1 5 "hello"` + goes,
	"rsv2":             `fin rsv2 1 5 "hello"` + goes,
	"rsv3":             `fin rsv3 1 5 "hello"` + goes,
	"opcode-3":         `fin 3 5 "hello"` + goes,
	"opcode-4":         `fin 4 5 "hello"` + goes,
	"opcode-5":         `fin 5 5 "hello"` + goes,
	"opcode-6":         `fin 6 5 "hello"` + goes,
	"opcode-7":         `fin 7 5 "hello"` + goes,
	"opcode-11":        `fin 11 5 "hello"` + goes,
	"opcode-12":        `fin 12 5 "hello"` + goes,
	"opcode-13":        `fin 13 5 "hello"` + goes,
	"opcode-14":        `fin 14 5 "hello"` + goes,
	"opcode-15":        `fin 15 5 "hello"` + goes,
	"ping-fragmented":  `9 3 "hel"; fin 0 2 "lo"` + goes,
	"pong-fragmented":  `10 3 "hel"; fin 0 2 "lo"` + goes,
	"close-fragmented": `8 2 "\x03\xe8"; fin 0 3 "bye"` + goes,
	"ping-long":        `fin 9 126 in 16 bits "zz"…` + goes,
	"close-long":       `fin 8 126 in 16 bits "\x03\xe8"…` + goes,
	"length-16-short":  `fin 1 5 in 16 bits "hello"` + goes,
	"length-64-short":  `fin 1 5 in 64 bits "hello"` + goes,
	"length-64-medium": `fin 1 200 in 64 bits "zz"…` + goes,
	"length-top-bit":   `fin 1 9223372036854775813 in 64 bits "hello\x89\x03zoo" and no more`,
	"length-short":     `fin 1 2 "he"; rsv1 rsv2 12 108 "o\x89\x03zoo" and no more`,
	"length-long":      `fin 1 100 "hello" and no more`,
	"length-huge":      `fin 2 4611686018427387904 in 64 bits "hello" and no more`,

	"continuation-first": `fin 0 5 "hello"` + goes,
	"message-inside":     `1 3 "hel"; fin 1 5 "hello"; fin 0 2 "lo"` + goes,
	"utf8-whole":         `fin 1 6 "hell\xffo"` + goes,
	"utf8-split":         `1 2 "\xe2\x82"; fin 0 5 "hello"` + goes,
	"utf8-surrogate":     `fin 1 3 "\xed\xa0\x80"` + goes,
	"utf8-overlong":      `fin 1 2 "\xc0\xaf"` + goes,
	"utf8-cut":           `fin 1 2 "\xe2\x82"` + goes,
	"utf8-fragments":     `1 2 "\xe2\x82"; fin 0 1 "\xac"` + goes,
	"fragments-empty":    `1 0 ""; 0 5 "hello"; 0 0 ""; fin 0 0 ""` + goes,
	"ping-inside":        `1 3 "hel"; fin 9 0 ""; fin 0 2 "lo"` + goes,
	"pong-unasked":       `fin 10 5 "hello"` + goes,
	"ping-flood":         strings.Repeat(`fin 9 125 "zz"…; `, 2000) + goes[2:],

	"close-1-byte":      `fin 8 1 "\x03"`,
	"close-1005":        `fin 8 2 "\x03\xed"`,
	"close-1006":        `fin 8 2 "\x03\xee"`,
	"close-1015":        `fin 8 2 "\x03\xf7"`,
	"close-999":         `fin 8 2 "\x03\xe7"`,
	"close-5000":        `fin 8 2 "\x13\x88"`,
	"close-reason-utf8": `fin 8 6 "\x03\xe8by\xffe"`,
	"close-empty":       `fin 8 0 ""`,
	"close-then-data":   `fin 8 2 "\x03\xe8"; fin 1 5 "hello"`,
	"close-twice":       `fin 8 2 "\x03\xe8"; fin 8 2 "\x03\xe9"`,
	"close-split":       `fin 8 5 "\x03\xe8bye"`,
	"close-unanswered":  `fin 1 8 "close me"`,
}

// Lines of a good 101 for the key of RFC 6455 §1.3.
const (
	wantStatus     = "HTTP/1.1 101 Switching Protocols\n"
	wantUpgrade    = "Upgrade: websocket\n"
	wantConnection = "Connection: Upgrade\n"
	wantAccept     = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"
	wantGood       = wantStatus + wantUpgrade + wantConnection + wantAccept
	otherAccept    = "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\n" // of sixteen zero bytes
)

// heads is what each animal sends instead of a good 101, line by line.
var heads = map[string]string{
	"accept-wrong":       wantStatus + wantUpgrade + wantConnection + otherAccept + "\n",
	"accept-missing":     wantStatus + wantUpgrade + wantConnection + "\n",
	"accept-twice":       wantGood + otherAccept + "\n",
	"upgrade-missing":    wantStatus + wantConnection + wantAccept + "\n",
	"upgrade-wrong":      wantStatus + "Upgrade: h2c\n" + wantConnection + wantAccept + "\n",
	"connection-missing": wantStatus + wantUpgrade + wantAccept + "\n",
	"connection-wrong":   wantStatus + wantUpgrade + "Connection: keep-alive\n" + wantAccept + "\n",
	"status-200":         "HTTP/1.1 200 OK\n" + wantUpgrade + wantConnection + wantAccept + "\n",
	"http-1.0":           "HTTP/1.0 101 Switching Protocols\n" + wantUpgrade + wantConnection + wantAccept + "\n",
	"extension-unasked":  wantGood + "Sec-WebSocket-Extensions: x-zoo\n\n",
	"protocol-foreign":   wantGood + "Sec-WebSocket-Protocol: x-zoo\n\n",
	"headers-folded":     wantStatus + wantUpgrade + "Connection:\n Upgrade\n" + wantAccept + "\n",
	"headers-oversized":  wantGood + strings.Repeat("X-Zoo: "+strings.Repeat("z", 119)+"\n", 32*128) + "\n",
	"headers-truncated":  wantStatus + wantUpgrade + wantConnection + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
	"headers-split":      wantGood + "\n",
	"headers-strange":    wantStatus + "uPGRADE:WebSocket\nCONNECTION:keep-alive,upgrade\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=  \n\n",
	"frames-behind":      wantGood + "\n",
	"one-by-one":         wantGood + "\n",
}

// Every animal sends what it says, byte by byte, and nothing else.
func TestAnimals(t *testing.T) {
	host := start(t)
	for i := range animals {
		a := &animals[i]
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			head, behind, length := wantGood+"\n", sends[a.Name], 0
			if a.head != nil {
				head, behind = heads[a.Name], `fin 1 7 "welcome"`+goes
			}
			if a.Name == "headers-truncated" {
				behind = ""
			}
			if head == "" || a.head == nil && behind == "" {
				t.Fatal("nothing is known of this animal")
			}
			for _, f := range a.frames {
				length += len(f)
			}
			if a.Name == "frames-behind" {
				length += len(welcome)
			}
			v := visitTo(t, host, a.URL)
			head = strings.ReplaceAll(head, "\n", "\r\n")
			if got := v.take(len(head)); got != head {
				t.Errorf("got head %.400q, want %.400q", got, head)
			}
			if got := spell(v.take(length)); got != behind {
				t.Errorf("got %.400s, want %.400s", got, behind)
			}
			if got := v.segments(); got < segmented[a.Name] {
				t.Errorf("it came in %d segments, want at least %d", got, segmented[a.Name])
			}
			v.wantNoMore()
		})
	}
}

// The animals are told apart by their names, and say of themselves what a reader
// and a program need.
func TestTable(t *testing.T) {
	if known := len(sends) + len(heads); known != len(animals) {
		t.Errorf("there are %d animals, %d are known", len(animals), known)
	}
	if len(places) != len(animals) {
		t.Errorf("%d animals have %d names", len(animals), len(places))
	}
	for _, a := range Animals() {
		if a.Section == "" || a.Does == "" || a.Must == "" || len(a.Fits) == 0 || a.URL != "/zoo/"+a.Name {
			t.Errorf("%+v says too little", a)
		}
		if a.Must == mustGoOn && !slices.Equal(a.Fits, goesOn) || a.Must == mustFail && slices.Contains(a.Fits, WentOn) {
			t.Errorf("%s: a client must %s, counted under %v", a.Name, a.Must, a.Fits)
		}
	}
}

// A subprotocol that the client offers is chosen, so that a browser minds nothing
// but what is wrong.
func TestSubprotocol(t *testing.T) {
	host := start(t)
	for path, want := range map[string]string{
		"/zoo/rsv1":             "chat",
		"/zoo/headers-split":    "chat",
		"/zoo/accept-wrong":     "chat",
		"/zoo/protocol-foreign": "x-zoo",
	} {
		v := visitTo(t, host, path, "Sec-WebSocket-Protocol: chat, other")
		got := v.take(100)
		for !strings.Contains(got, "\r\n\r\n") {
			got += v.take(1)
		}
		if !strings.Contains(got, "\r\nSec-WebSocket-Protocol: "+want+"\r\n") || strings.Count(got, "Protocol:") != 1 {
			t.Errorf("%s: got %q", path, got)
		}
	}
}
