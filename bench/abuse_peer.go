package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// soon is how long a client waits for what must happen.
func soon() time.Time { return time.Now().Add(clientPatience) }

// peer is a hostile client: a socket that does what its row says, and nothing
// by itself. It belongs to one goroutine.
type peer struct {
	fd     int
	in     []byte // has come, and was not looked at yet
	tx     uint64 // bytes of a stream that were sent
	broken bool   // a send failed: what came before may still be read
	over   bool   // all was read, to the end of the stream or a reset
}

// wait waits for events on the socket. What is wrong with it is one too.
func (p *peer) wait(events int16, till time.Time) bool {
	for {
		left := max(time.Until(till), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: events}}, int(left.Milliseconds()))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// offer sends what the socket takes of b without waiting.
func (p *peer) offer(b []byte) (n int) {
	for n < len(b) && !p.broken {
		sent, errno := send(p.fd, &b[n], len(b)-n)
		switch errno {
		case 0:
			n += sent
		case unix.EINTR:
		case unix.EAGAIN:
			return n
		default:
			p.broken = true
		}
	}
	return n
}

// write sends b, and returns how much of it was taken by then.
func (p *peer) write(b []byte, till time.Time) (n int) {
	for {
		n += p.offer(b[n:])
		if n == len(b) || p.broken || !p.wait(unix.POLLOUT, till) {
			return n
		}
	}
}

// fill takes what has come, without waiting.
func (p *peer) fill() {
	var b [16 << 10]byte
	for !p.over {
		n, errno := recv(p.fd, &b[0], len(b))
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
		case errno != 0 || n == 0:
			p.over = true
		default:
			p.in = append(p.in, b[:n]...)
		}
	}
}

// more waits until something has come, and reports whether it did.
func (p *peer) more(till time.Time) bool {
	before := len(p.in)
	if !p.over && p.wait(unix.POLLIN, till) {
		p.fill()
	}
	return len(p.in) > before
}

// ended reports whether the stream is over. What had come is forgotten.
func (p *peer) ended() bool {
	p.fill()
	p.in = p.in[:0]
	return p.over
}

// cutOff reports whether the connection was reset, without reading from it.
func (p *peer) cutOff() bool {
	fds := []unix.PollFd{{Fd: int32(p.fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}

// status reads the head of an answer; 0: none came.
func (p *peer) status(till time.Time) int {
	for {
		if head, rest, ok := bytes.Cut(p.in, []byte("\r\n\r\n")); ok {
			p.in = rest
			if len(head) < len("HTTP/1.1 200") {
				return 0
			}
			n, _ := strconv.Atoi(string(head[len("HTTP/1.1 "):len("HTTP/1.1 200")]))
			return n
		}
		if !p.more(till) {
			return 0
		}
	}
}

// frame reads a frame; false: none came.
func (p *peer) frame(till time.Time) (op ws.OpCode, payload []byte, ok bool) {
	for {
		r := bytes.NewReader(p.in)
		h, err := ws.ReadHeader(r)
		if err == nil && int64(r.Len()) >= h.Length {
			from := int64(len(p.in) - r.Len())
			payload = p.in[from : from+h.Length : from+h.Length]
			p.in = p.in[from+h.Length:]
			return h.OpCode, payload, true
		}
		if !p.more(till) {
			return 0, nil, false
		}
	}
}

// closeCode is that of the next close frame; what comes before it is skipped.
// 0: none came.
func (p *peer) closeCode(till time.Time) ws.StatusCode {
	for {
		op, payload, ok := p.frame(till)
		if !ok {
			return 0
		}
		if op == ws.OpClose && len(payload) >= 2 {
			return ws.StatusCode(binary.BigEndian.Uint16(payload))
		}
	}
}

// answer takes what has come, answers pings, and drops the rest.
func (p *peer) answer() {
	p.fill()
	for {
		op, payload, ok := p.frame(time.Time{})
		if !ok {
			return
		}
		if op == ws.OpPing {
			p.offer(clientFrame(ws.OpPong, true, payload))
		}
	}
}

// echo sends a message, and reports whether it came back. The server may ping
// meanwhile.
func (p *peer) echo(till time.Time) bool {
	const text = "is anybody there"
	p.write(clientFrame(ws.OpText, true, []byte(text)), till)
	op, payload, ok := p.frame(till)
	for ok && op == ws.OpPing {
		p.offer(clientFrame(ws.OpPong, true, payload))
		op, payload, ok = p.frame(till)
	}
	return ok && string(payload) == text
}

// clientFrame is a frame whose mask is 0, so that its payload lies there as it
// is.
func clientFrame(op ws.OpCode, fin bool, payload []byte) []byte {
	return append(clientHeader(op, fin, uint64(len(payload))), payload...)
}

// clientHeader is a header that may declare anything. The length has the
// shortest form, as RFC 6455 §5.2 wants it, so that it is not what is refused.
func clientHeader(op ws.OpCode, fin bool, length uint64) []byte {
	b := []byte{byte(op)}
	if fin {
		b[0] |= 0x80
	}
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(b, 0, 0, 0, 0)
}

// dialing is how peers connect.
type dialing struct {
	from  unix.Sockaddr // nil: any address
	small bool          // buffers of the kernel, else it alone holds megabytes for each
}

// What a socket with small buffers has.
const (
	smallReceive = 4 << 10
	smallSend    = 64 << 10
)

// atATime is how many connects and upgrades are under way, so that the queue of
// the listening socket does not overflow.
const atATime = 128

const (
	clientPatience   = 10 * time.Second // of a peer, for what must happen
	upgradesPatience = 60 * time.Second // for many upgrades
)

// connect opens n connections. They are cut when the stage is left.
func (s *stage) connect(n int, d dialing) ([]*peer, error) {
	first := len(s.peers)
	for begun := first; len(s.peers) < first+n; {
		fd, err := connect(s.sockaddr, s.family, d.from, smallReceive*btoi(d.small))
		if err != nil {
			return nil, err
		}
		s.peers = append(s.peers, &peer{fd: fd})
		if d.small {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, smallSend); err != nil {
				return nil, err
			}
		}
		if len(s.peers)-begun < atATime && len(s.peers) < first+n {
			continue
		}
		for ; begun < len(s.peers); begun++ {
			p := s.peers[begun]
			if !p.wait(unix.POLLOUT, time.Now().Add(clientPatience)) || socketError(p.fd) != 0 {
				return nil, fmt.Errorf("client %d cannot connect", begun+1)
			}
		}
	}
	return s.peers[first:len(s.peers):len(s.peers)], nil
}

// upgrade sends the upgrade request on all peers, and counts the answers by
// their status.
func (s *stage) upgrade(peers []*peer) map[int]int { return s.upgradeTo(peers, s.server.Target) }

func (s *stage) upgradeTo(peers []*peer, target string) map[int]int {
	answers := make(map[int]int)
	till := time.Now().Add(upgradesPatience)
	for i := 0; i < len(peers); i += atATime {
		part := peers[i:min(i+atATime, len(peers))]
		for _, p := range part {
			p.write(s.requestOf(target), till)
		}
		for _, p := range part {
			answers[p.status(till)]++
		}
	}
	return answers
}

func (s *stage) request() []byte { return s.requestOf(s.server.Target) }

func (s *stage) requestOf(target string) []byte {
	return appendRequest(nil, s.server.Host, target, &request{Extensions: s.offer}, nonce(1, 1, 1))
}

// open connects and upgrades n peers, all of which must be served. A few at a
// time: more would be half-open together, of which there is a limit.
func (s *stage) open(n int, d dialing) ([]*peer, error) { return s.openTo(n, d, s.server.Target) }

func (s *stage) openTo(n int, d dialing, target string) ([]*peer, error) {
	first := len(s.peers)
	for left := n; left > 0; left -= atATime {
		part, err := s.connect(min(left, atATime), d)
		if err != nil {
			return nil, err
		}
		if answers := s.upgradeTo(part, target); answers[101] != len(part) {
			return nil, fmt.Errorf("upgrades of %d clients were answered with %v", len(part), answers)
		}
	}
	return s.peers[first:len(s.peers):len(s.peers)], nil
}
