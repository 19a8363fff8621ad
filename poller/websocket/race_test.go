//go:build race

package websocket

import (
	"testing"

	"github.com/gobwas/ws"
)

// F4: under -race a payload that a handler keeps is overwritten: at its return,
// or once it has been sent when it leaves from where it lies.
func TestKeptPayload(t *testing.T) {
	for name, send := range map[string]func(c *Conn, p []byte) error{
		"not sent": func(*Conn, []byte) error { return nil },
		"sent":     func(c *Conn, p []byte) error { return c.Send(ws.OpText, p) },
		"copied":   func(c *Conn, p []byte) error { return firstOf(c.Send(ws.OpText, nil), c.Send(ws.OpText, p)) },
	} {
		for _, in := range []string{text("payload"), begin("pay") + last("load"), text(letters(80_000)), packedText("payload"), split(0xc1, packed("payload"), 3)} {
			var kept []byte
			p := upgraded(t, mustCompile(t, map[string]Route{"/echo": {Compression: CompressionOn, Message: func(c *Conn, _ ws.OpCode, p []byte) error {
				kept = p
				return send(c, p)
			}}}))
			p.loop.leaves = true // that it spoils memory is no proof
			if in[0]&rsv1Bit != 0 {
				p.agreed(t, "permessage-deflate")
			}
			p.feed([]byte(in))
			if len(kept) == 0 || kept[0] != 0xDB || kept[len(kept)-1] != 0xDB {
				t.Errorf("%s: %s is still readable", name, brief(kept))
			}
		}
	}
}
