package main

import (
	"bytes"
	"context"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// crowdKinds are who comes to a soak.
var crowdKinds = []crowdKind{
	{"idle", 1_000, second, idleTurn},
	{"come, echo, close", 10, 50 * time.Millisecond, churnTurn},
	{"large messages", 4, 500 * time.Millisecond, largeTurn},
	{"slow readers", 50, 100 * time.Millisecond, slowTurn},
	{"tiny frames", 4, 20 * time.Millisecond, tinyTurn},
	{"readers that stop", 20, 100 * time.Millisecond, stallTurn},
	{"half-open, dripping", 200, second, dripTurn},
	{"floods of pings", 5, 100 * time.Millisecond, pingTurn},
	{"resets in a message", 5, 100 * time.Millisecond, resetTurn},
	{"half-closed", 2, 100 * time.Millisecond, halfCloseTurn},
	{"unfinished messages", 20, second, unfinishedTurn},
	{"malformed heads", 5, 100 * time.Millisecond, badHeadTurn},
	{"malformed frames", 5, 100 * time.Millisecond, badFrameTurn},
}

// churnTurn: clients that echo and close as RFC 6455 §7 wants it.
func churnTurn(ctx context.Context, m *mob) {
	m.briefly(ctx, m.open, func(v *visitor) {
		m.came(v.echo(soon()) && v.goodbye(), "no echo, or the close was not answered")
	})
}

// goodbye closes, and reports whether the server does so too and ends TCP.
func (p *peer) goodbye() bool {
	till := soon()
	p.write(clientFrame(ws.OpClose, true, []byte{0x03, 0xe8}), till) // 1000
	if p.closeCode(till) != ws.StatusNormalClosure {
		return false
	}
	for !p.over && p.wait(unix.POLLIN, till) {
		p.fill()
	}
	return p.over
}

// idleTurn: clients that answer pings. Every turn one in a hundred goes, the
// oldest first, and somebody else comes.
func idleTurn(ctx context.Context, m *mob) {
	going := (len(m.visitors) + 99) / 100
	m.stay(ctx, m.open, dialing{}, func(v *visitor) bool {
		v.answer()
		switch {
		case v.over:
			m.fail("an idle client was sent away")
			return false
		case going > 0:
			going--
			m.came(v.echo(soon()) && v.goodbye(), "no echo of an idle client, or its close was not answered")
			return false
		}
		return true
	})
}

// largeTurn: a message of 1 MiB each, which must come back as it was.
func largeTurn(ctx context.Context, m *mob) {
	message := bytes.Repeat([]byte("large message, 64 bytes at a time, which is a MiB in its whole..\n"), maxMessage)[:maxMessage]
	frame := clientFrame(ws.OpBinary, true, message)
	m.stay(ctx, m.open, dialing{}, func(v *visitor) bool {
		v.write(frame, soon())
		op, payload, ok := v.frame(soon())
		ok = ok && op == ws.OpBinary && bytes.Equal(payload, message)
		m.came(ok, "a large message did not come back")
		v.in = nil // a MiB
		return ok
	})
}

// slowTurn: clients that send what the server takes and read 10 KiB/s of it,
// until they have read enough.
func slowTurn(ctx context.Context, m *mob) {
	const step, enough = 1 << 10, 256 << 10
	m.stay(ctx, m.open, dialing{small: true}, func(v *visitor) bool {
		v.tx += uint64(v.offer(m.out.piece(v.tx, endless)))
		var b [step]byte
		n, errno := recv(v.fd, &b[0], len(b))
		switch {
		case errno == unix.EAGAIN || errno == unix.EINTR:
			return true
		case errno != 0 || n == 0:
			m.fail("a slow reader was sent away")
			return false
		case !m.out.matches(v.rx, b[:n]):
			m.fail("a slow reader got what it had not sent")
			return false
		}
		if v.rx += uint64(n); v.rx >= enough {
			m.done++
			return false
		}
		return true
	})
}

// tinyTurn: clients that send very many empty messages and read the echoes.
func tinyTurn(ctx context.Context, m *mob) {
	const frames = 1_000
	piece := bytes.Repeat(clientFrame(ws.OpBinary, true, nil), frames)
	m.stay(ctx, m.open, dialing{}, func(v *visitor) bool {
		v.tx += uint64(v.offer(piece[v.tx%uint64(len(piece)):]))
		m.came(!v.ended(), "who sends tiny frames was sent away")
		return !v.over
	})
}

// stallTurn: clients that send what the server takes and never read.
func stallTurn(ctx context.Context, m *mob) {
	m.stay(ctx, m.open, dialing{small: true}, func(v *visitor) bool {
		v.tx += uint64(v.offer(m.out.piece(v.tx, endless)))
		if v.cutOff() {
			m.done++
			return false
		}
		return true
	})
}
