package main

import (
	"context"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// dripTurn: clients of whose request a byte a second comes.
func dripTurn(ctx context.Context, m *mob) {
	head := m.stage.request()
	m.stay(ctx, m.connect, dialing{}, func(v *visitor) bool {
		v.tx += uint64(v.offer(head[v.tx : v.tx+1]))
		if v.ended() || v.tx == uint64(len(head)) {
			m.done++
			return false
		}
		return true
	})
}

// pingTurn: clients that send more pings than anybody needs, until the server
// has had enough.
func pingTurn(ctx context.Context, m *mob) {
	const pings = 200
	ping := clientFrame(ws.OpPing, true, make([]byte, 125))
	m.stay(ctx, m.open, dialing{}, func(v *visitor) bool {
		for range pings {
			if v.offer(ping) < len(ping) {
				break // the rest of this one would be in the way of the next
			}
		}
		if v.ended() || v.broken {
			m.done++
			return false
		}
		return true
	})
}

// resetTurn: clients that are cut in the midst of a message.
func resetTurn(ctx context.Context, m *mob) {
	half := append(clientHeader(ws.OpBinary, true, 200<<10), make([]byte, 100<<10)...)
	m.briefly(ctx, m.open, func(v *visitor) {
		v.write(half, soon())
		m.done++
	})
}

// halfCloseTurn: clients that end their side without a close frame.
func halfCloseTurn(ctx context.Context, m *mob) {
	m.briefly(ctx, m.open, func(v *visitor) {
		ok := v.echo(soon()) && unix.Shutdown(v.fd, unix.SHUT_WR) == nil
		for till := soon(); ok && !v.over; {
			ok = v.wait(unix.POLLIN, till)
			v.fill()
		}
		m.came(ok, "a half-closed client was kept")
	})
}

// unfinishedTurn: clients that hold a message of which the half has come, for a
// while.
func unfinishedTurn(ctx context.Context, m *mob) {
	const held = 5 * time.Second
	half := append(clientHeader(ws.OpBinary, true, maxMessage), make([]byte, maxMessage/2)...)
	m.stay(ctx, m.open, dialing{}, func(v *visitor) bool {
		if v.tx == 0 {
			v.tx = uint64(v.write(half, soon()))
		}
		if v.ended() || time.Since(v.came) > held {
			m.done++
			return false
		}
		return true
	})
}

// badHeads are requests that must not be taken for an upgrade.
var badHeads = [][]byte{
	[]byte("GET /echo HTTP/1.1\r\n\r\n"),
	[]byte("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
	[]byte("GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"),
	[]byte("GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n"),
	[]byte("GET /echo HTTP/1.1\r\nHost : a\r\n folded\r\n\r\n"),
	[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
}

// badHeadTurn: clients that are refused, or hung up on.
func badHeadTurn(ctx context.Context, m *mob) {
	m.briefly(ctx, m.connect, func(v *visitor) {
		v.write(badHeads[(m.done+m.failed)%int64(len(badHeads))], soon())
		status := v.status(soon())
		m.came(status >= 400 || status == 0 && v.over, "a malformed request was not refused")
	})
}

// badFrames are what RFC 6455 forbids.
var badFrames = [][]byte{
	[]byte("\x81\x01x"),                             // not masked
	[]byte("\xc1\x80\x00\x00\x00\x00"),              // a reserved bit
	[]byte("\x83\x80\x00\x00\x00\x00"),              // a reserved opcode
	[]byte("\x80\x80\x00\x00\x00\x00"),              // nothing to go on with
	[]byte("\x09\x80\x00\x00\x00\x00"),              // a ping in fragments
	[]byte("\x81\x81\x00\x00\x00\x00\xff"),          // not UTF-8
	[]byte("\x88\x82\x00\x00\x00\x00\x03\xed"),      // 1005 on the wire
	clientHeader(ws.OpBinary, true, 1<<63),          // the top bit
	clientHeader(ws.OpBinary, true, maxMessage<<10), // too much
}

// badFrameTurn: clients that are ended, with a close frame or without.
func badFrameTurn(ctx context.Context, m *mob) {
	m.briefly(ctx, m.open, func(v *visitor) {
		v.write(badFrames[(m.done+m.failed)%int64(len(badFrames))], soon())
		op, _, framed := v.frame(soon())
		m.came(framed && op == ws.OpClose || !framed && v.over, "a malformed frame was taken")
	})
}
