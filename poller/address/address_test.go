package address

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tcp := netip.MustParseAddrPort
	for _, tt := range []struct {
		text string
		want Address
	}{
		{"127.0.0.1:9998", Address{TCP: tcp("127.0.0.1:9998")}},
		{"localhost:0", Address{TCP: tcp("127.0.0.1:0")}},
		{"[::ffff:127.0.0.1]:1", Address{TCP: tcp("127.0.0.1:1")}},
		{"[::1]:65535", Address{TCP: tcp("[::1]:65535")}},
		{":9998", Address{TCP: netip.AddrPortFrom(netip.Addr{}, 9998)}},
		{"0.0.0.0:9998?proxy=required", Address{TCP: tcp("0.0.0.0:9998"), Options: Options{Proxy: true}}},
		{"unix:/run/echogate.sock", Address{Unix: "/run/echogate.sock"}},
		{"unix:here.sock?mode=0660", Address{Unix: "here.sock", Options: Options{Mode: 0o660, HasMode: true}}},
		{"unix:/x?mode=0&proxy=required", Address{Unix: "/x", Options: Options{Proxy: true, HasMode: true}}},
		{"unix:/x?mode=777", Address{Unix: "/x", Options: Options{Mode: 0o777, HasMode: true}}},
		{"unix:@name?proxy=required", Address{Unix: "@name", Options: Options{Proxy: true}}},
		{"unix:" + strings.Repeat("x", MaxPath), Address{Unix: strings.Repeat("x", MaxPath)}},
	} {
		if got, err := Parse(tt.text); got != tt.want || err != nil {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.text, got, err, tt.want)
		}
	}
}

// TestErrors compares the whole text: it is what an operator has to go by.
func TestErrors(t *testing.T) {
	bad := func(text, want string) {
		t.Helper()
		if got, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %+v, %v\nwant %s", text, got, err, want)
		}
	}
	const form = "want host:port: accepted are host:port, :port, [::1]:port, unix:/path and unix:@name"
	bad("", form)
	bad("9998", form)
	bad("::1", form)
	bad("/run/echogate.sock", form)
	bad("127.0.0.1:", "port must be a number from 0 to 65535")
	bad(":65536", "port must be a number from 0 to 65535")
	bad(":-1", "port must be a number from 0 to 65535")
	bad(":http", "port must be a number from 0 to 65535")
	bad("example.org:80", "host must be an IP address, localhost or empty")
	bad("*:80", "host must be an IP address, localhost or empty")
	bad("[fe80::1%nowhere]:0", `no interface "nowhere"`)

	bad("unix:", "no path of a unix socket: accepted are unix:/path and unix:@name")
	bad("unix:@", "no path of a unix socket: accepted are unix:/path and unix:@name")
	bad("unix:?mode=0660", "no path of a unix socket: accepted are unix:/path and unix:@name")
	bad("unix:/a\x00b", "zero byte in the path of a unix socket")
	bad("unix:"+strings.Repeat("x", MaxPath+1), "path of 108 bytes: a unix socket's has at most 107")

	bad(":1?", `unknown option "": accepted are `+names())
	bad(":1?prox=required", `unknown option "prox": accepted are `+names())
	bad(":1?proxy", "option proxy=: accepted is required")
	bad(":1?proxy=optional", "option proxy=optional: accepted is required")
	bad(":1?proxy=required&proxy=required", "option proxy is there twice")
	bad(":1?mode=0660", "option mode: only a unix socket with a path has a mode")
	bad("unix:@x?mode=0660", "option mode: only a unix socket with a path has a mode")
	bad("unix:/x?mode=0888", "option mode=0888: accepted is an octal number from 0000 to 0777")
	bad("unix:/x?mode=01777", "option mode=01777: accepted is an octal number from 0000 to 0777")
	bad("unix:/x?mode=-1", "option mode=-1: accepted is an octal number from 0000 to 0777")
}

func TestSame(t *testing.T) {
	same := func(want bool, a, b string) {
		t.Helper()
		p, err := Parse(a)
		q, err2 := Parse(b)
		if err != nil || err2 != nil || p.Same(q) != want {
			t.Errorf("%s and %s are one place: got %v, want %v (%v, %v)", a, b, !want, want, err, err2)
		}
	}
	same(true, "localhost:1", "127.0.0.1:1?proxy=required")
	same(true, "unix:/x", "unix:/x?mode=0600")
	same(false, "unix:/x", "unix:@x")
	same(false, ":1", "0.0.0.0:1")
	same(false, ":1", ":2")
}

// TestFree: any number of listeners may leave their port to the kernel.
func TestFree(t *testing.T) {
	for text, want := range map[string]bool{":0": true, "[::1]:0": true, ":1": false, "unix:/x": false} {
		if a, err := Parse(text); a.Free() != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", text, a.Free(), err, want)
		}
	}
}
