//go:build linux

package zoo

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller"
	"echogate/poller/websocket"
)

// deadline is how long a test waits for what should happen at once.
const deadline = 30 * time.Second

// start runs a gateway with the zoo and returns its address.
func start(t *testing.T) string {
	t.Helper()
	routes, err := websocket.Compile(map[string]websocket.Route{"/zoo/{name}": Route()})
	if err != nil {
		t.Fatal(err)
	}
	config := poller.Default(routes)
	config.Listen, config.Loops, config.Drain = []string{"127.0.0.1:0"}, 1, 0
	s, err := poller.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		s.Cut()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.Addrs()[0].String()
}

// visitor is a TCP connection that has asked for an animal.
type visitor struct {
	*net.TCPConn
	t *testing.T
}

func visitTo(t *testing.T, host, path string, headers ...string) visitor {
	t.Helper()
	conn, err := net.DialTimeout("tcp", host, deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(deadline))
	request := append([]string{"GET " + path + " HTTP/1.1", "Host: test", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, headers...)
	if _, err := io.WriteString(conn, strings.Join(request, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return visitor{conn.(*net.TCPConn), t}
}

// take reads exactly n bytes.
func (v visitor) take(n int) string {
	v.t.Helper()
	b := make([]byte, n)
	if got, err := io.ReadFull(v, b); err != nil {
		v.t.Fatalf("got %d bytes of %d: %q, %v", got, n, b[:min(got, 400)], err)
	}
	return string(b)
}

// wantNoMore ends this side of TCP and wants nothing but the end of the other.
func (v visitor) wantNoMore() {
	v.t.Helper()
	if err := v.CloseWrite(); err != nil {
		v.t.Fatal(err)
	}
	if rest, err := io.ReadAll(v); err != nil || len(rest) > 0 {
		v.t.Errorf("then got %q, %v", rest, err)
	}
}

// segments counts the TCP segments with data that have come.
func (v visitor) segments() (n int) {
	v.t.Helper()
	raw, err := v.SyscallConn()
	if err != nil {
		v.t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if e != nil {
			v.t.Fatal(e)
		}
		n = int(info.Data_segs_in)
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return n
}

// spell says what bytes are as frames, as far as they are: everything that a
// header has, and how long the payload is or what it says.
func spell(b string) string {
	var all []string
	for len(b) > 1 {
		var s string
		s, b = frame(b)
		all = append(all, s)
	}
	if b != "" {
		all = append(all, fmt.Sprintf("%q", b))
	}
	return strings.Join(all, "; ")
}

// frame spells the first frame of b and returns what is behind it.
func frame(b string) (said, rest string) {
	var flags string
	for i, name := range []string{"fin ", "rsv1 ", "rsv2 ", "rsv3 "} {
		if b[0]&(0x80>>i) != 0 {
			flags += name
		}
	}
	said = fmt.Sprintf("%s%d", flags, b[0]&0x0f)
	masked, length, form := b[1]&0x80 != 0, uint64(b[1]&0x7f), ""
	b = b[2:]
	switch length {
	case 126:
		length, form, b = uint64(binary.BigEndian.Uint16([]byte(b))), " in 16 bits", b[2:]
	case 127:
		length, form, b = binary.BigEndian.Uint64([]byte(b)), " in 64 bits", b[8:]
	}
	said += fmt.Sprintf(" %d%s", length, form)
	var key string
	if masked {
		key, b = b[:4], b[4:]
	}
	if length > uint64(len(b)) {
		return said + fmt.Sprintf(" %q and no more", b), ""
	}
	payload := []byte(b[:length])
	for i := range payload {
		if masked {
			payload[i] ^= key[i%4]
		}
	}
	if masked {
		said += " masked"
	}
	if length > 50 && strings.Count(string(payload), "z") >= int(length)-2 {
		return said + fmt.Sprintf(" %.2q…", payload), b[length:]
	}
	return said + fmt.Sprintf(" %q", payload), b[length:]
}
