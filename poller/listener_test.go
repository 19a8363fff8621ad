package poller

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"echogate/poller/address"
)

// ipv6 reports whether this machine has ::1.
func ipv6() bool {
	ln, err := listen("[::1]:0")
	if err == nil {
		_ = unix.Close(ln.fd)
	}
	return err == nil
}

func TestListenAddresses(t *testing.T) {
	six := ipv6()
	everywhere := "0.0.0.0"
	if six {
		everywhere = "::"
	}
	for _, tt := range []struct{ address, want string }{
		{"127.0.0.1:0", "127.0.0.1"},
		{"localhost:0", "127.0.0.1"},
		{"0.0.0.0:0", "0.0.0.0"},
		{"[::ffff:127.0.0.1]:0", "127.0.0.1"},
		{"[::1]:0", "::1"},
		{"[::]:0", "::"},
		{":0", everywhere},
	} {
		if strings.HasPrefix(tt.want, "::") && !six {
			continue
		}
		ln, err := listen(tt.address)
		if err != nil {
			t.Errorf("%q: %v", tt.address, err)
			continue
		}
		got := ln.addr.(*net.TCPAddr)
		if got.IP.String() != tt.want || got.Port == 0 {
			t.Errorf("%q: listens on %s, want %s", tt.address, got, tt.want)
		}
		if again, err := listen(got.String()); err == nil {
			t.Errorf("%q: two listen on %s", tt.address, again.addr)
			_ = unix.Close(again.fd)
		}
		_ = unix.Close(ln.fd)
	}
}

// TestDualStack: ":port" takes both families, "[::]:port" IPv6 alone, so that
// "0.0.0.0:port" can stand beside it.
func TestDualStack(t *testing.T) {
	if !ipv6() {
		t.Log("no IPv6 on this machine: nothing to tell apart")
		return
	}
	for _, tt := range []struct {
		address string
		only    int
	}{{":0", 0}, {"[::]:0", 1}, {"[::1]:0", 1}} {
		ln, err := listen(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		if only, err := unix.GetsockoptInt(ln.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); only != tt.only || err != nil {
			t.Errorf("%q: V6ONLY is %d, %v, want %d", tt.address, only, err, tt.only)
		}
		_ = unix.Close(ln.fd)
	}
}

func TestListenErrors(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"", "want host:port"},
		{"9998", "want host:port"},
		{"::1:9998", "want host:port"},
		{"127.0.0.1:", "port must be a number"},
		{"127.0.0.1:65536", "port must be a number"},
		{"127.0.0.1:-1", "port must be a number"},
		{"127.0.0.1:http", "port must be a number"},
		{"example.org:80", "host must be an IP address"},
		{"*:80", "host must be an IP address"},
		{"192.0.2.1:0", "cannot assign requested address"}, // of documentation, nobody's
		{"[fe80::1%nowhere]:0", "no interface"},
	} {
		ln, err := listen(tt.address)
		if err == nil {
			t.Errorf("%q listens on %s", tt.address, ln.addr)
			_ = unix.Close(ln.fd)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "poller: listen ") || !strings.Contains(text, tt.want) || !strings.Contains(text, tt.address) {
			t.Errorf("%q: %v, want %q", tt.address, err, tt.want)
		}
	}
}

// TestListenOptions are inherited by what the socket accepts.
func TestListenOptions(t *testing.T) {
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ln.fd)
	if err := ln.userTimeout(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	peer := dial(t, ln.addr.(*net.TCPAddr).AddrPort())
	defer unix.Close(peer.fd)
	fd, errno := accept(ln.fd)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(fd)
	for name, tt := range map[string]struct{ level, option, want int }{
		"TCP_NODELAY":      {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"TCP_USER_TIMEOUT": {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 150_000},
	} {
		if got, err := unix.GetsockoptInt(fd, tt.level, tt.option); got != tt.want || err != nil {
			t.Errorf("%s is %d, %v, want %d", name, got, err, tt.want)
		}
	}
	for _, x := range []int{ln.fd, fd} {
		status, _ := unix.FcntlInt(uintptr(x), unix.F_GETFL, 0)
		flags, _ := unix.FcntlInt(uintptr(x), unix.F_GETFD, 0)
		if status&unix.O_NONBLOCK == 0 || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %#x, want non-blocking and closed on exec", x, status, flags)
		}
	}
}

func TestAdoptListener(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tcp, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(tcp)
	local, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(local)
	// An abstract name of the kernel's choice: nothing in the file system.
	if err := errors.Join(unix.Bind(local, &unix.SockaddrUnix{}), unix.Listen(local, 1)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		fd         int
	}{
		{"no socket", "is no listening socket", int(file.Fd())},
		{"not open", "is no listening socket", 1 << 30},
		{"not listening", "is no listening socket", tcp},
		{"no streams", "listens for no streams", local},
	} {
		if _, err := adoptListener(tt.fd); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSameAddress(t *testing.T) {
	tcp := func(ip, zone string, port int) *listener {
		return &listener{addr: &net.TCPAddr{IP: net.ParseIP(ip), Zone: zone, Port: port}}
	}
	same := func(ln *listener, text string) bool {
		a, err := address.Parse(text)
		return err == nil && sameAddress(ln, a)
	}
	for _, tt := range []struct {
		ln      *listener
		address string
		want    bool
	}{
		{tcp("127.0.0.1", "", 80), "127.0.0.1:80?proxy=required", true},
		{tcp("127.0.0.1", "", 80), "127.0.0.1:80", true},
		{tcp("127.0.0.1", "", 80), "localhost:80", true},
		{tcp("127.0.0.1", "", 80), "[::ffff:127.0.0.1]:80", true},
		{tcp("127.0.0.1", "", 80), "127.0.0.1:080", true},
		{tcp("127.0.0.1", "", 80), "127.0.0.1:81", false},
		{tcp("127.0.0.1", "", 80), "127.0.0.2:80", false},
		{tcp("127.0.0.1", "", 80), ":80", false},
		{tcp("127.0.0.1", "", 80), "127.0.0.1", false},
		{tcp("127.0.0.1", "", 80), "127.0.0.1:http", false},
		{tcp("0.0.0.0", "", 80), ":80", true},
		{tcp("::", "", 80), ":80", true},
		{tcp("::", "", 80), "[::]:80", true},
		{tcp("::", "", 80), "0.0.0.0:80", false},
		{tcp("::1", "", 80), "[::1]:80", true},
		{tcp("::1", "", 80), "[0:0:0:0:0:0:0:1]:80", true},
		{tcp("::1", "", 80), "localhost:80", false},
		{tcp("fe80::1", "1", 80), "[fe80::1%1]:80", true},
		{tcp("fe80::1", "1", 80), "[fe80::1%lo]:80", true}, // the first interface everywhere
		{tcp("fe80::1", "1", 80), "[fe80::1%2]:80", false},
		{tcp("fe80::1", "1", 80), "[fe80::1]:80", false},
	} {
		if got := same(tt.ln, tt.address); got != tt.want {
			t.Errorf("%s and %q: %t", tt.ln.addr, tt.address, got)
		}
	}
}

func TestAddrPort(t *testing.T) {
	mapped := netip.MustParseAddr("::ffff:192.0.2.1").As16()
	for _, tt := range []struct {
		sa   unix.Sockaddr
		want string
	}{
		{&unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 80}, "192.0.2.1:80"},
		{&unix.SockaddrInet6{Addr: mapped, Port: 80}, "192.0.2.1:80"},
		{&unix.SockaddrInet6{Addr: [16]byte{15: 1}, Port: 80}, "[::1]:80"},
		{&unix.SockaddrInet6{Addr: [16]byte{0xfe, 0x80, 15: 1}, ZoneId: 3, Port: 80}, "[fe80::1%3]:80"},
		{&unix.SockaddrUnix{}, "invalid AddrPort"},
	} {
		if got := addrPort(tt.sa).String(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.sa, got, tt.want)
		}
	}
}

// TestPassing: what accept(2) says of one connection does not stop the others.
func TestPassing(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ECONNABORTED, unix.EINTR, unix.EPROTO, unix.EPERM, unix.ENETDOWN, unix.ENOPROTOOPT,
		unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH, unix.ETIMEDOUT} {
		if !passing(errno) {
			t.Errorf("%v does not pass", errno)
		}
	}
	for _, errno := range []syscall.Errno{unix.EAGAIN, unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if passing(errno) {
			t.Errorf("%v passes", errno)
		}
	}
}

// TestAcceptPauses: without descriptors the listener rests, longer each time,
// and comes back early when one is freed.
func TestAcceptPauses(t *testing.T) {
	l := still(t, nil)
	ln := l.listeners[0]
	l.srv.accept = func(int) (int, syscall.Errno) { return -1, unix.EMFILE }
	l.arm()
	for _, want := range []time.Duration{pauseFirst, 2 * pauseFirst, 4 * pauseFirst, 8 * pauseFirst, 16 * pauseFirst, 32 * pauseFirst, 64 * pauseFirst, pauseMost, pauseMost} {
		l.accept(ln)
		if got := ln.paused - l.tick; got != ticks(want) || !l.acceptPaused() {
			t.Fatalf("rests for %d ticks, want %d", got, ticks(want))
		}
		l.tick += ticks(want) - 1
		l.resumeAccept()
		if !l.acceptPaused() {
			t.Fatal("it is back too early")
		}
		l.tick++
		l.resumeAccept()
		if l.acceptPaused() {
			t.Fatal("it is not back")
		}
	}
	l.accept(ln)
	l.srv.freed()
	l.resumeAccept()
	if l.acceptPaused() || l.srv.starved.Load() != 0 {
		t.Errorf("it is not back when a descriptor is freed; %d listeners rest", l.srv.starved.Load())
	}
	if n := l.stats.Refused[RefusedAccept]; n != 10 {
		t.Errorf("%d failed accepts are counted, want 10", n)
	}
}

// TestPausedListenerLeaves: a listener that goes while it rests does not keep the
// server waiting for descriptors.
func TestPausedListenerLeaves(t *testing.T) {
	l := still(t, nil)
	l.srv.accept = func(int) (int, syscall.Errno) { return -1, unix.EMFILE }
	l.accept(l.listeners[0])
	if !l.srv.Readiness().Paused {
		t.Fatal("it does not rest")
	}
	l.leaveListeners()
	if l.srv.Readiness().Paused {
		t.Error("it is gone, and said to rest")
	}
}

// TestAdoptMakesItOurs: who hands a socket over may have left it blocking, and
// open in the programs that this one starts.
func TestAdoptMakesItOurs(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	ln, err := adoptListener(fd)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if status&unix.O_NONBLOCK == 0 || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %#x, want non-blocking and closed on exec", status, flags)
	}
	if got := ln.addr.(*net.TCPAddr); !got.IP.Equal(net.IPv4(127, 0, 0, 1)) || got.Port == 0 {
		t.Errorf("address %s", got)
	}
}
