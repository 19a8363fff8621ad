package main

import (
	"encoding"
	"fmt"
	"strings"
	"testing"
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

	f(new(cpuSet), "1", "[1]")
	f(new(cpuSet), "0,2-4", "[0 2 3 4]")
	f(new(cpuSet), "2-1", "bad: accepted")
	f(new(cpuSet), "0-5000", "bad: accepted")
	f(new(cpuSet), "", "bad: accepted")
}

func TestParseURL(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"ws://127.0.0.1:9998/echo", "127.0.0.1 9998 /echo"},
		{"ws://example.org", "example.org 80 /"},
		{"ws://[::1]:80/a%20b?c=d", "::1 80 /a%20b?c=d"},
		{"wss://example.org/", "example.org 443 /"},
		{"wss://example.org:8443/", "example.org 8443 /"},
		{"http://example.org/", ""},
		{"example.org:80", ""},
		{"ws://", ""},
		{"ws:///echo", ""},
		{"ws://user@example.org/", ""},
		{"ws://example.org/#fragment", ""},
		{"ws://example.org:70000/", ""},
		{"ws://example.org:http/", ""},
	} {
		host, port, target, err := parseURL(x.text)
		got := fmt.Sprintf("%s %d %s", host, port, target)
		if x.want == "" && err == nil || x.want != "" && (err != nil || got != x.want) {
			t.Errorf("%q: got %q, %v, want %q", x.text, got, err, x.want)
		}
	}
}
