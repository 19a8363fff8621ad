package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// quick is a soak of seconds.
var quick = strings.Fields("soak -d 3s --warm 200ms --settle 500ms --every 100ms --scale 0.1 --rate 200 --json -")

// soaked runs a soak and returns its exit code and what it found.
func soaked(t *testing.T, args ...string) (int, *Soak, string) {
	t.Helper()
	code, out, errOut := bench(t, append(slices.Clone(quick), args...)...)
	s := new(Soak)
	if err := json.Unmarshal([]byte(out), s); err != nil {
		t.Fatalf("exit code %d, %v in %q; %s", code, err, out, errOut)
	}
	return code, s, errOut
}

func (s *Soak) flat(t *testing.T, name string) Flat {
	t.Helper()
	i := slices.IndexFunc(s.Figures, func(f Flat) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no figure %q in %+v", name, s.Figures)
	}
	return s.Figures[i]
}

// The gateway gives back what the crowd took. Its memory is not asked for: in
// seconds a runtime does not give it back.
func TestSoakOfTheGateway(t *testing.T) {
	_, s, errOut := soaked(t, "--gateway", buildGateway(t))
	for _, name := range []string{"Go heap", "goroutines"} { // the metrics are asked for by themselves
		if f := s.flat(t, name); f.Before == 0 || f.Last == 0 {
			t.Errorf("got %+v, want a figure", f)
		}
	}
	for _, name := range []string{"descriptors", "sockets"} {
		if f := s.flat(t, name); f.After > f.Before || f.First <= f.Before {
			t.Errorf("got %+v, want a figure that goes up and comes back", f)
		}
	}
	for _, k := range s.Crowd {
		if k.Failed > 0 {
			t.Errorf("%s: %d failed: %s", k.Name, k.Failed, k.First)
		}
	}
	if s.Bystanders.Count == 0 || s.Bystanders.Lost > 0 {
		t.Errorf("got %d messages of bystanders, %d lost", s.Bystanders.Count, s.Bystanders.Lost)
	}
	if !strings.HasPrefix(s.Command, gatewayName+" ") || !strings.Contains(s.Command, portPlace) {
		t.Errorf("got command %q, want it as anybody would write it", s.Command)
	}
	if !strings.Contains(errOut, "the load is off") {
		t.Errorf("got %q, want it to say when the load is off", errOut)
	}
}

// A server that keeps the descriptor of everybody is found out, during the load
// and after it.
func TestSoakFindsDescriptors(t *testing.T) {
	code, s, errOut := soaked(t, "--exec", os.Args[0]+" --leak {port}", "--metrics", "http://127.0.0.1:{admin}/metrics")
	if code != exitFailed || !strings.Contains(errOut, "descriptors is not flat") {
		t.Errorf("got exit code %d and %q, want 1 and descriptors named", code, errOut)
	}
	if f := s.flat(t, "descriptors"); f.Held || f.Last <= f.MostLast || f.After <= f.MostThen {
		t.Errorf("got %+v of a server that leaks", f)
	}
	// Nothing answers there: the run goes on without these figures, and says so.
	if notes := strings.Join(s.notes(), "\n"); !strings.Contains(notes, "not read: heap") {
		t.Errorf("got notes %q, want the metrics that do not answer", notes)
	}
}

// A server that ends is no soak.
func TestSoakOfAServerThatEnds(t *testing.T) {
	code, _, errOut := bench(t, append(slices.Clone(quick), "--exec", "timeout 2 "+os.Args[0]+" --leak {port}")...)
	if code != exitFailed || errOut == "" {
		t.Errorf("got exit code %d and %q, want 1 and a reason", code, errOut)
	}
}

func TestSoakBadFlags(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"-d 10s --every 5s", "--duration"},
		{"--every 0s", "--every"},
		{"--warm -1s", "--warm"},
		{"--settle -1s", "--settle"},
		{"--scale 0", "--scale"},
		{"--scale 11", "--scale"},
		{"--rate 0", "--rate"},
		{"--exec gateway", "{port}"},
		{"--exec {port} --gateway g", "--gateway"},
		{"--fail p98x<1s", "p98"},
		{"--markdown no/such/directory", "no/such/directory"},
	} {
		code, _, errOut := bench(t, append([]string{"soak"}, strings.Fields(x.args)...)...)
		if code != exitUsage || !strings.Contains(errOut, x.want) {
			t.Errorf("%s: got exit code %d and %q, want 2 and %s", x.args, code, errOut, x.want)
		}
	}
}

// soakSamples are those of a run in which value holds: the samples of the load
// between one before it and one after it.
func soakSamples(before, after int64, load ...int64) []SoakSample {
	sample := func(i int, phase soakPhase, rss int64) SoakSample {
		at := time.Date(2026, 3, 1, 12, 0, i, 0, time.UTC)
		return SoakSample{
			Since: Seconds(time.Duration(i) * time.Second), Phase: phase, Sockets: 1,
			Sample: Sample{At: at, RSS: rss, PSS: 1 << 20, Threads: 5, Descriptors: 8},
		}
	}
	list := []SoakSample{sample(0, phaseBefore, before), sample(1, phaseWarm, 1)}
	for _, rss := range load {
		list = append(list, sample(len(list), phaseLoad, rss))
	}
	return append(list, sample(len(list), phaseAfter, after))
}

func TestFlatFigures(t *testing.T) {
	const mb = 1 << 20
	for _, x := range []struct {
		name    string
		samples []SoakSample
		held    bool
	}{
		{"flat", soakSamples(10*mb, 20*mb, 100*mb, 101*mb, 99*mb, 100*mb, 102*mb, 100*mb), true},
		{"a tenth more is noise", soakSamples(10*mb, 20*mb, 100*mb, 100*mb, 109*mb, 110*mb), true},
		{"more is not", soakSamples(10*mb, 20*mb, 100*mb, 100*mb, 110*mb, 111*mb, 111*mb, 111*mb), false},
		{"a peak is no growth", soakSamples(10*mb, 20*mb, 100*mb, 900*mb, 100*mb, 100*mb, 100*mb, 100*mb, 100*mb, 900*mb, 100*mb), true},
		{"of little 8 MiB are noise", soakSamples(10*mb, 20*mb, 10*mb, 18*mb, 18*mb), true},
		{"what stays", soakSamples(10*mb, 27*mb, 100*mb, 100*mb, 100*mb), false},
		{"too short for thirds", soakSamples(10*mb, 20*mb, 100*mb, 100*mb), false},
		{"lost on the way", soakSamples(10*mb, 0, 100*mb, 100*mb, 100*mb), false},
	} {
		list := flatFigures(x.samples)
		if i := slices.IndexFunc(list, func(f Flat) bool { return f.Name == "RSS" }); i < 0 || list[i].Held != x.held {
			t.Errorf("%s: got %+v, want held %v", x.name, list, x.held)
		}
		if slices.ContainsFunc(list, func(f Flat) bool { return f.Name == "Go heap" }) {
			t.Errorf("%s: got a heap that nobody told", x.name)
		}
	}
	if returned(soakSamples(10*mb, 27*mb, 1)) || !returned(soakSamples(10*mb, 26*mb, 1)) {
		t.Error("returned does not go by what may stay")
	}
}

// aSoak is one of seconds, whose RSS does not hold.
func aSoak() *Soak {
	r := fullResult()
	r.Notes, r.Lost, r.Bottleneck = []string{"a note"}, 2, ""
	s := &Soak{
		Version: resultVersion, Started: r.Started, Command: "gateway --listen 127.0.0.1:{port}", Scale: 1, Bystanders: r,
		Crowd:   []CrowdCount{{"idle", 1000, 120, 0, ""}, {"malformed heads", 5, 10, 1, "a malformed request was not refused"}},
		Samples: soakSamples(10<<20, 20<<20, 100<<20, 100<<20, 100<<20, 130<<20, 130<<20, 130<<20),
	}
	s.Samples[3].Missing = []string{"heap: nobody answers"}
	s.Figures = flatFigures(s.Samples)
	s.check()
	return s
}

func TestSoakTables(t *testing.T) {
	s := aSoak()
	var text, markdown bytes.Buffer
	if err := errors.Join(s.Write(&text), s.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	golden(t, "soak.txt", text.Bytes())
	golden(t, "soak.md", markdown.Bytes())
	err := s.judge(nil)
	for _, want := range []string{"RSS is not flat", "bystanders lost: 2, not ≤ 0", "clients not treated as they should be: 1, not ≤ 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	s.Interrupted = true
	if err := s.judge(nil); !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, want an interrupted run to fail", err)
	}
}

// What is flat is held, and --fail is asked of the bystanders.
func TestSoakThresholds(t *testing.T) {
	s := aSoak()
	s.Figures, s.Checks = s.Figures[1:], nil
	if err := s.judge(nil); err != nil {
		t.Errorf("got %v, want all held", err)
	}
	var fail Thresholds
	if err := fail.UnmarshalText([]byte("lost==0")); err != nil {
		t.Fatal(err)
	}
	if err := s.judge(fail); err == nil || !strings.Contains(err.Error(), "lost==0: lost is 2") {
		t.Errorf("got %v, want the condition that does not hold", err)
	}
}

func TestSoakPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "soak.html")
	if err := writeFile(file, aSoak().WriteHTML); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Memory of the server over time", "What clients noticed", "NOT HELD", "not read: heap: nobody answers", `<li class="tile bad"><b>130 MiB</b>`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}
