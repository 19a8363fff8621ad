//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"echogate/gateway/zoo"
)

var record = flag.String("zoo-record", "", "a new `file` for the table of TestZooClients")

// visited is what a client says of its visit.
type visited struct {
	Opened   bool // the handshake was good enough
	Messages int  // that were delivered
	Code     int  // of the close, as the client has it; 0: it has none
	Error    string
}

// String is the visit in the table: what the client's user saw.
func (v visited) String() string {
	if !v.Opened {
		return "not opened"
	}
	s := "opened"
	if v.Messages > 0 {
		s += fmt.Sprintf(", %d message", v.Messages)
	}
	if v.Code != 0 {
		return fmt.Sprintf("%s, %d", s, v.Code)
	}
	return s + ", " + v.Error
}

// visitors are the clients that go through the zoo, with what they are known to do
// that does not fit.
var visitors = []struct {
	name    string
	visit   func(t *testing.T, host string) map[string]visited
	differs map[string]difference
}{
	{"Chromium", visitWithChromium, map[string]difference{
		"close-999": {zoo.Broke, "takes any code but 1005, 1006 and 1015 for good and answers with it"},
	}},
	{"gobwas/ws", visitWithGobwas, map[string]difference{
		"headers-strange":   {zoo.Failed, "compares the whole value of Connection with Upgrade, where it is a list"},
		"close-1-byte":      {zoo.Broke, unmasked},
		"close-1005":        {zoo.Broke, unmasked},
		"close-1006":        {zoo.Broke, unmasked},
		"close-1015":        {zoo.Broke, unmasked},
		"close-999":         {zoo.Broke, unmasked},
		"close-reason-utf8": {zoo.Broke, unmasked},
	}},
	{"websockets", visitWithPython, nil},
}

// unmasked is what wsutil.ControlHandler does with the close frame of 1002 that it
// writes as a client: the masked copy of the header is thrown away.
const unmasked = "answers a bad close frame with a frame that does not say that it is masked"

// difference is an outcome that does not fit, and why it comes.
type difference struct {
	outcome zoo.Outcome
	why     string
}

// TestZooClients sends real clients through the whole zoo. What each did is what
// RFC 6455 asks for, but for what is known of it.
func TestZooClients(t *testing.T) {
	var columns []column
	for _, v := range visitors {
		t.Run(v.name, func(t *testing.T) {
			host := startGateway(t)
			before := zooCounts()
			saw := v.visit(t, host)
			did := outcomesSince(t, before)
			for _, a := range zoo.Animals() {
				want := a.Fits
				if known, ok := v.differs[a.Name]; ok {
					want = []zoo.Outcome{known.outcome}
				}
				if !slices.Contains(want, did[a.Name]) {
					t.Errorf("%s: got %s, %s; want one of %v", a.Name, did[a.Name], saw[a.Name], want)
				}
				if n, ok := delivers(a, did[a.Name]); ok && saw[a.Name].Messages != n {
					t.Errorf("%s: %d messages were delivered, want %d", a.Name, saw[a.Name].Messages, n)
				}
			}
			columns = append(columns, column{v.name, saw, did})
		})
	}
	if *record != "" && !t.Failed() {
		writeRecord(t, *record, columns)
	}
}

// delivers is how many messages a client's user gets to see, where it is certain.
func delivers(a zoo.Animal, did zoo.Outcome) (n int, certain bool) {
	switch {
	case a.Name == "pong-unasked", a.Name == "ping-flood":
		return 0, true // nothing but control frames
	case did == zoo.WentOn, a.Name == "close-unanswered":
		return 1, true
	case a.Name == "message-inside", a.Name == "length-short":
		return 0, false // what comes first is a good message
	}
	return 0, true // what is wrong, or behind a close frame, is not delivered
}

// column is a client in the table.
type column struct {
	name string
	saw  map[string]visited
	did  map[string]zoo.Outcome
}

func zooCounts() map[string]uint64 {
	m := make(map[string]uint64)
	zoo.Each(func(animal, outcome string, n uint64) { m[animal+" "+outcome] = n })
	return m
}

// outcomesSince waits until every animal has counted one more visit, and returns
// which.
func outcomesSince(t *testing.T, before map[string]uint64) map[string]zoo.Outcome {
	t.Helper()
	did := make(map[string]zoo.Outcome)
	for end := time.Now().Add(patience); len(did) < len(zoo.Animals()); {
		for key, n := range zooCounts() {
			animal, label, _ := strings.Cut(key, " ")
			var o zoo.Outcome
			if err := o.UnmarshalText([]byte(label)); err != nil {
				t.Fatal(err)
			}
			if n > before[key] {
				did[animal] = o
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d visits have ended", len(did), len(zoo.Animals()))
		}
		<-time.After(10 * time.Millisecond)
	}
	return did
}

// visitWithPython visits all animals with python3-websockets.
func visitWithPython(t *testing.T, host string) map[string]visited {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import websockets").Run() != nil {
		if os.Getenv("ECHOGATE_TEST_PYTHON") == "required" {
			t.Fatal("python3-websockets is required here")
		}
		t.Skip("no python3-websockets")
	}
	args := []string{"testdata/zoo.py", "ws://" + host}
	for _, a := range zoo.Animals() {
		args = append(args, a.Name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var problems bytes.Buffer
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.Bytes())
	}
	all := make(map[string]visited)
	for line := range bytes.Lines(out) {
		var did struct {
			Name string
			visited
		}
		if err := json.Unmarshal(line, &did); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all[did.Name] = did.visited
	}
	return all
}
