package main

import (
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	ok := func(text string, want Size, form string) {
		t.Helper()
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", text, got, err, want)
		}
		if got.String() != form {
			t.Errorf("%s: got form %s, want %s", text, got, form)
		}
	}
	ok("0", 0, "0")
	ok("65536", 1<<16, "64KiB")
	ok("65537", 65537, "65537")
	ok("64KiB", 1<<16, "64KiB")
	ok("1MiB", 1<<20, "1MiB")
	ok("3GiB", 3<<30, "3GiB")
	ok("1KB", 1000, "1KB")
	ok("1MB", 1000000, "1MB")
	ok("2GB", 2000000000, "2GB")
	ok("512B", 512, "512")
	ok("9223372036854775807", 1<<63-1, "9223372036854775807")
	ok("8589934591GiB", (1<<33-1)<<30, "8589934591GiB")

	for _, text := range []string{
		"", "B", "KiB", "-1", "+1", "1.5MiB", "1 MiB", "1mib", "1M", "1e3", "0x10", "1_000",
		"9223372036854775808", "8589934592GiB", "99999999999999999999",
	} {
		var s Size
		err := s.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), "accepted are bytes") {
			t.Errorf("%q: got %d, %v; want an error that says what is accepted", text, s, err)
		}
	}
}
