package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func live(elapsed time.Duration, count int64) Live {
	return Live{Elapsed: elapsed, Measured: elapsed, Count: count, Rate: 123_456, P99: Micros(1360 * time.Microsecond), Connections: 10_000, Errors: 12}
}

func TestProgressLines(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := NewProgress(w, Goal{Duration: 3 * time.Second})
	for _, ms := range []int{1000, 1000, 1001, 2003, 2004, 2998} { // several workers: several calls a second
		p.Show(live(time.Duration(ms)*time.Millisecond, 0))
	}
	p.Stop()
	p.Show(live(9*time.Second, 0))
	w.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for s := 1; s <= 3; s++ {
		want += fmt.Sprintf("   %d s  123,456 /s  p99 1.36 ms  10,000 connections  12 errors\n", s)
	}
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// terminal is a pseudoterminal of 80 columns.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

var noControls = strings.NewReplacer("\x1b[0K", "", "\x1b[2K", "")

func TestProgressBar(t *testing.T) {
	t.Setenv("TERM", "xterm")
	screen, tty := terminal(t)
	p := NewProgress(tty, Goal{Duration: 10 * time.Second})
	p.Show(live(2*time.Second, 0))
	p.Show(live(5*time.Second, 0))
	p.Show(live(99*time.Second, 0)) // a run that takes longer
	p.Stop()
	fmt.Fprintln(tty, "the report")
	tty.Close()
	b, _ := io.ReadAll(screen) // ends with EIO, as there is no writer left
	shown := string(b)
	for _, want := range []string{" 20% |", " 50% |", " 99% |", "123,456 /s  p99 1.36 ms  10,000 connections  12 errors"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in %q", want, shown)
		}
	}
	lines := strings.Split(shown, "\r")
	for _, line := range lines {
		if n := len([]rune(noControls.Replace(line))); n > 80 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	if !strings.HasSuffix(shown, "\x1b[2K\rthe report\r\n") {
		t.Errorf("the report does not begin on a clean line: %q", shown)
	}
	if strings.Count(shown, "\n") != 1 {
		t.Errorf("the bar broke its line: %q", shown)
	}
}

// While connections are opened nothing of the way is done, however long that
// takes.
func TestProgressOfTheOpening(t *testing.T) {
	l := live(time.Minute, 0)
	l.Measured = 0
	if got := l.String(); got != "opening  10,000 connections  12 errors" {
		t.Errorf("got %q", got)
	}
	if got := (Goal{Duration: time.Second}).share(l); got != 0 {
		t.Errorf("got %v of the way, want 0", got)
	}
}

func TestProgressOnADumbTerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	screen, tty := terminal(t)
	p := NewProgress(tty, Goal{Messages: 10})
	p.Show(live(time.Second, 5))
	p.Stop()
	tty.Close()
	if b, _ := io.ReadAll(screen); strings.ContainsAny(string(b), "|\x1b") {
		t.Errorf("a bar on a dumb terminal: %q", b)
	}
}

func TestGoal(t *testing.T) {
	tests := []struct {
		goal Goal
		want float64
	}{
		{Goal{}, 0},
		{Goal{Duration: 10 * time.Second}, 0.4},
		{Goal{Messages: 1000}, 0.7},
		{Goal{Duration: 10 * time.Second, Messages: 1000}, 0.7},
		{Goal{Duration: time.Second}, 1},
	}
	for _, test := range tests {
		if got := test.goal.share(live(4*time.Second, 700)); got != test.want {
			t.Errorf("%+v: %v, want %v", test.goal, got, test.want)
		}
	}
}
