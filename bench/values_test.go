package main

import (
	"encoding"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestValues(t *testing.T) {
	f := func(v encoding.TextUnmarshaler, text, want string) {
		t.Helper()
		err := v.UnmarshalText([]byte(text))
		if bad, ok := strings.CutPrefix(want, "bad: "); ok {
			if err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("%T %q: got %v, want an error with %q", v, text, err, bad)
			}
			return
		}
		got := strings.TrimPrefix(fmt.Sprintf("%v", v), "&")
		if err != nil || got != want {
			t.Errorf("%T %q: got %s, %v, want %s", v, text, got, err, want)
		}
	}
	f(new(Size), "64", "64B")
	f(new(Size), "0", "0B")
	f(new(Size), "1KiB", "1KiB")
	f(new(Size), "1024B", "1KiB")
	f(new(Size), "1MB", "1MB")
	f(new(Size), "-1", "bad: size")
	f(new(Size), "1.5KiB", "bad: size")
	f(new(Size), "9999999999GiB", "bad: size")

	number := func(text, want string) {
		t.Helper()
		var n Number
		err := n.UnmarshalText([]byte(text))
		if got := fmt.Sprintf("%g", float64(n)); want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%q: got %s, %v, want %q", text, got, err, want)
		}
	}
	number("100", "100")
	number("0.5", "0.5")
	number("50k", "50000")
	number("1.5M", "1.5e+06")
	number("", "")
	number("k", "")
	number("-1", "")
	number("1e3", "")
	number("Inf", "")
	number("1G", "")

	f(new(Sources), "127.0.0.2", "[127.0.0.2]")
	f(new(Sources), "127.0.0.254-127.0.1.1", "[127.0.0.254 127.0.0.255 127.0.1.0 127.0.1.1]")
	f(new(Sources), "10.0.0.1,fd00::1-fd00::2", "[10.0.0.1 fd00::1 fd00::2]")
	f(new(Sources), "", "bad: accepted")
	f(new(Sources), "127.0.0.2-", "bad: accepted")
	f(new(Sources), "127.0.0.2-::1", "bad: accepted")
	f(new(Sources), "10.0.0.0-11.0.0.0", "bad: more than")

	f(new(HeaderLine), "Authorization:Bearer a:b", "{Authorization Bearer a:b}")
	f(new(HeaderLine), "X-Empty:", "{X-Empty }")
	f(new(HeaderLine), "no colon", "bad: NAME: VALUE")
	f(new(HeaderLine), "two words: x", "bad: NAME: VALUE")
	f(new(HeaderLine), ": x", "bad: NAME: VALUE")
	f(new(HeaderLine), "X: a\r\nY: b", "bad: NAME: VALUE")
	f(new(HeaderLine), "upgrade: h2c", "bad: belongs to the upgrade")
	f(new(HeaderLine), "Sec-WebSocket-Protocol: chat", "bad: --subprotocol")

	f(new(cpuSet), "1", "[1]")
	f(new(cpuSet), "0,2-4", "[0 2 3 4]")
	f(new(cpuSet), "2-1", "bad: accepted")
	f(new(cpuSet), "0-5000", "bad: accepted")
	f(new(cpuSet), "", "bad: accepted")
}

// -n ends a run by itself, unless it is to end before.
func TestDurationOfAMessageCount(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"echo":               10 * time.Second,
		"echo -n 5":          unbounded,
		"echo -n 5 -d 10s":   10 * time.Second,
		"echo -d 3s -n 5":    3 * time.Second,
		"echo -n 0":          10 * time.Second,
		"echo --duration=2s": 2 * time.Second,
	} {
		p, err := parse(strings.Fields(line), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		d := p.mode.load()
		if d.Duration != want {
			t.Errorf("%s: got %v, want %v", line, d.Duration, want)
		}
		if g := goal(&d); g.Duration == unbounded || g.share(Live{Measured: time.Hour, Count: d.Messages}) != 1 {
			t.Errorf("%s: got the goal %v", line, g)
		}
	}
}

func TestParseURL(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"ws://127.0.0.1:9998/echo", "127.0.0.1 9998 127.0.0.1:9998 /echo"},
		{"ws://example.org", "example.org 80 example.org /"},
		{"ws://[::1]:80/a%20b?c=d", "::1 80 [::1]:80 /a%20b?c=d"},
		{"ws://[fe80::1%25eth0]:80/", "fe80::1 80 [fe80::1]:80 /"},
		{"wss://example.org/", "example.org 443 example.org /"},
		{"wss://example.org:8443/", "example.org 8443 example.org:8443 /"},
		{"ws+unix:/run/e.sock:/echo?a=b", "localhost 0 localhost /echo?a=b /run/e.sock"},
		{"wss+unix:./e.sock", "localhost 0 localhost / ./e.sock"},
		{"ws+unix:@abstract:/echo", "localhost 0 localhost /echo @abstract"},
		{"ws+unix::/echo", ""},
		{"ws+unix:/run/e.sock:echo", ""},
		{"http+unix:/run/e.sock:/", ""},
		{"ws+unix:/" + strings.Repeat("x", 107) + ":/", ""},
		{"http://example.org/", ""},
		{"example.org:80", ""},
		{"ws://", ""},
		{"ws:///echo", ""},
		{"ws://user@example.org/", ""},
		{"ws://example.org/#fragment", ""},
		{"ws://example.org:70000/", ""},
		{"ws://example.org:http/", ""},
	} {
		s, port, err := parseURL(x.text)
		got := strings.TrimSpace(fmt.Sprintf("%s %d %s %s %s", s.Name, port, s.Host, s.Target, s.Socket))
		if x.want == "" && err == nil || x.want != "" && (err != nil || got != x.want) {
			t.Errorf("%q: got %q, %v, want %q", x.text, got, err, x.want)
		}
	}
}
