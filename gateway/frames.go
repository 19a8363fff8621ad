package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// description is a frame as it came over the wire.
type description struct {
	FIN        bool      `json:"fin"`
	RSV        byte      `json:"rsv"` // RSV1 is 4, RSV2 is 2, RSV3 is 1
	Opcode     byte      `json:"opcode"`
	Type       string    `json:"type"`
	Length     uint64    `json:"length"`
	LengthBits int       `json:"length_bits"` // 7, 16 or 64: the form it was written in
	Shortest   bool      `json:"shortest"`    // as RFC 6455 §5.2 asks for
	Masked     bool      `json:"masked"`
	Mask       string    `json:"mask"`
	Header     string    `json:"header"` // as it came, in hexadecimal
	Began      time.Time `json:"began"`  // when the first byte was read
	Ended      time.Time `json:"ended"`  // and the last
	Reads      []int     `json:"reads"`  // bytes of it that each read brought: where TCP cut it
	Complete   bool      `json:"complete"`
	Error      string    `json:"error,omitempty"` // why nothing more of it was read
}

const (
	// readsMost is how many reads of one frame are told apart; more are added to
	// the last.
	readsMost = 64
	// framesMost is how many frames are described before their descriptions
	// leave: a short frame is much shorter than its description.
	framesMost = 128
)

// A describer follows the frames of one connection.
type describer struct {
	header       []byte
	storage      [ws.MaxHeaderSize]byte
	left         uint64 // bytes of the payload still to come, once the header is whole
	began, ended time.Time
	reads        []int
}

// describeFrames has a connection's frames described.
func describeFrames(c *websocket.Conn, _ *websocket.Request) error {
	d := new(describer)
	own := *c.Route()
	own.Wire, own.Closing = d.wire, d.closing
	c.Use(&own)
	return nil
}

func (d *describer) wire(c *websocket.Conn, b []byte) (n int, err error) {
	now := time.Now()
	for frames := 0; n < len(b) && frames < framesMost; {
		n += d.take(b[n:], now)
		if !d.whole() {
			continue
		}
		if err := d.describe(c, ""); err != nil {
			return n, err
		}
		frames++
	}
	return n, nil
}

// closing describes the frame for which the connection fails, if it is not whole.
func (d *describer) closing(c *websocket.Conn, e websocket.CloseError) (later bool) {
	if len(d.header) > 0 && e.Cause != websocket.CauseHandler {
		_ = d.describe(c, e.Reason)
	}
	return false
}

// take takes what b has of the frame under way.
func (d *describer) take(b []byte, now time.Time) (n int) {
	if len(d.header) == 0 {
		d.began, d.header, d.reads = now, d.storage[:0], d.reads[:0]
	}
	for n < len(b) && len(d.header) < headerSize(d.header) {
		d.header = append(d.header, b[n])
		if n++; len(d.header) == headerSize(d.header) {
			d.left = payloadLength(d.header)
		}
	}
	if len(d.header) == headerSize(d.header) {
		payload := min(uint64(len(b)-n), d.left)
		d.left -= payload
		n += int(payload)
	}
	d.ended = now
	if len(d.reads) == readsMost {
		d.reads[readsMost-1] += n
		return n
	}
	d.reads = append(d.reads, n)
	return n
}

func (d *describer) whole() bool {
	return len(d.header) == headerSize(d.header) && d.left == 0
}

// headerSize is the length of the header that begins with b (RFC 6455 §5.2), as
// far as b tells.
func headerSize(b []byte) int {
	if len(b) < 2 {
		return 2
	}
	n := 2 + lengthBits(b)/8 // 0, 2 or 8 bytes of length
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// lengthBits is how long a length was written.
func lengthBits(b []byte) int {
	switch {
	case len(b) < 2 || b[1]&0x7f < 126:
		return 7
	case b[1]&0x7f == 126:
		return 16
	}
	return 64
}

// payloadLength is the length that a header announces, as far as it has come.
func payloadLength(b []byte) uint64 {
	bits := lengthBits(b)
	switch {
	case len(b) < 2 || bits > 7 && len(b) < 2+bits/8:
		return 0
	case bits == 16:
		return uint64(binary.BigEndian.Uint16(b[2:]))
	case bits == 64:
		return binary.BigEndian.Uint64(b[2:])
	}
	return uint64(b[1] & 0x7f)
}

// describe sends what is known of the frame under way, and ends it.
func (d *describer) describe(c *websocket.Conn, failure string) error {
	h, bits, length := d.header, lengthBits(d.header), payloadLength(d.header)
	v := description{
		FIN: h[0]&0x80 != 0, RSV: h[0] >> 4 & 7, Opcode: h[0] & 0x0f, Type: opcodeNames[h[0]&0x0f],
		Length: length, LengthBits: bits,
		Shortest: bits == 7 || bits == 16 && length > 125 || bits == 64 && length > 0xffff,
		Masked:   len(h) > 1 && h[1]&0x80 != 0,
		Header:   hex.EncodeToString(h),
		Began:    d.began.UTC(), Ended: d.ended.UTC(), Reads: d.reads,
		Complete: d.whole(), Error: failure,
	}
	if v.Masked && len(h) == headerSize(h) {
		v.Mask = hex.EncodeToString(h[len(h)-4:])
	}
	d.header = nil
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Send(ws.OpText, text)
}

var opcodeNames = [16]string{
	"continuation", "text", "binary", "reserved", "reserved", "reserved", "reserved", "reserved",
	"close", "ping", "pong", "reserved", "reserved", "reserved", "reserved", "reserved",
}
