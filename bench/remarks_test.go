package main

import (
	"fmt"
	"slices"
	"testing"
)

// A note is there once, with how often, and names the kind of error once.
func TestRemarks(t *testing.T) {
	var r remarks
	for range 3 {
		r.add(&failure{KindConnect, "connect to 127.0.0.1:1: connection refused"})
	}
	r.add(&failure{KindConnectTimeout, "connect to 127.0.0.1:1: no answer"})
	r.add(&failure{KindCorrupt, "message 7 is 3 bytes"})
	want := []string{
		"connect to 127.0.0.1:1: connection refused (3 times)",
		"connect_timeout: connect to 127.0.0.1:1: no answer",
		"corrupt: message 7 is 3 bytes",
	}
	if got := r.list(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 2 * maxRemarks {
		r.say(fmt.Sprint(i))
	}
	if got := len(r.list()); got != maxRemarks {
		t.Errorf("got %d notes, want at most %d", got, maxRemarks)
	}
}
