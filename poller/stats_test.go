package poller

import (
	"fmt"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// numbered fills every number of v with another one, so that a counter that is
// forgotten or mistaken for another shows.
func numbered(v reflect.Value, next *uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			numbered(v.Field(i), next)
		}
	case reflect.Array:
		for i := range v.Len() {
			numbered(v.Index(i), next)
		}
	case reflect.Uint64, reflect.Uint32:
		*next++
		v.SetUint(*next)
	case reflect.Int, reflect.Int64:
		*next++
		v.SetInt(int64(*next))
	}
}

// TestStatsAdd: the sum over loops has every counter, and is theirs alone.
func TestStatsAdd(t *testing.T) {
	var one, two, sum Stats
	next := uint64(0)
	numbered(reflect.ValueOf(&one).Elem(), &next)
	numbered(reflect.ValueOf(&two).Elem(), &next)
	sum.add(&one)
	sum.add(&two)
	a, b, s := reflect.ValueOf(one), reflect.ValueOf(two), reflect.ValueOf(sum)
	for i := range s.NumField() {
		name := s.Type().Field(i).Name
		switch name {
		case "PerLoop":
			if want := []int{one.Connections, two.Connections}; !reflect.DeepEqual(sum.PerLoop, want) {
				t.Errorf("PerLoop is %v, want %v", sum.PerLoop, want)
			}
		case "Silent", "Routes", "Utilization": // of the whole
		case "MaxLag":
			if sum.MaxLag != max(one.MaxLag, two.MaxLag) {
				t.Errorf("MaxLag is %d of %d and %d", sum.MaxLag, one.MaxLag, two.MaxLag)
			}
		default:
			checkSum(t, name, a.Field(i), b.Field(i), s.Field(i))
		}
	}
}

func checkSum(t *testing.T, name string, a, b, sum reflect.Value) {
	t.Helper()
	switch sum.Kind() {
	case reflect.Array:
		for i := range sum.Len() {
			checkSum(t, name, a.Index(i), b.Index(i), sum.Index(i))
		}
	case reflect.Struct:
		for i := range sum.NumField() {
			checkSum(t, name+"."+sum.Type().Field(i).Name, a.Field(i), b.Field(i), sum.Field(i))
		}
	case reflect.Int, reflect.Int64:
		if sum.Int() != a.Int()+b.Int() {
			t.Errorf("%s is %d of %d and %d", name, sum.Int(), a.Int(), b.Int())
		}
	default:
		if sum.Uint() != a.Uint()+b.Uint() {
			t.Errorf("%s is %d of %d and %d", name, sum.Uint(), a.Uint(), b.Uint())
		}
	}
}

// TestLabels: every counter has a label of its own.
func TestLabels(t *testing.T) {
	checkLabels(t, Refusals)
	checkLabels(t, Timeouts)
	checkLabels(t, Statuses)
	checkLabels(t, States)
}

func checkLabels[L interface {
	~uint8
	fmt.Stringer
}](t *testing.T, n L) {
	t.Helper()
	seen := map[string]bool{}
	for i := range n {
		if label := i.String(); label == "" || seen[label] {
			t.Errorf("%T %d has the label %q", i, i, label)
		} else {
			seen[label] = true
		}
	}
}

func TestStatusOf(t *testing.T) {
	for _, tt := range []struct {
		code  int
		label string
	}{
		{200, "2xx"}, {299, "2xx"}, {302, "3xx"}, {399, "3xx"}, {400, "400"}, {404, "404"}, {426, "426"}, {418, "4xx"}, {499, "4xx"}, {500, "500"}, {501, "5xx"}, {505, "505"}, {599, "5xx"},
	} {
		if got := statusOf(tt.code).String(); got != tt.label {
			t.Errorf("status %d counts as %s, want %s", tt.code, got, tt.label)
		}
	}
}

func TestStatsLag(t *testing.T) {
	for _, tt := range []struct {
		ticks, lag uint32
		late       uint64
	}{
		{0, 0, 0}, {1, 0, 0}, {2, 10, 0}, {10, 90, 0}, {11, 100, 1}, {1000, 9990, 1},
	} {
		var s Stats
		s.lag(tt.ticks)
		if s.MaxLag != tt.lag || s.LateTicks != tt.late {
			t.Errorf("%d ticks at once: lag %d ms, late %d, want %d and %d", tt.ticks, s.MaxLag, s.LateTicks, tt.lag, tt.late)
		}
		s.lag(2)
		if s.MaxLag != max(tt.lag, 10) {
			t.Errorf("%d ticks, then 2: MaxLag %d", tt.ticks, s.MaxLag)
		}
	}
}

// TestSnapshot: what is there now, taken where it is.
func TestSnapshot(t *testing.T) {
	l := still(t, nil)
	if s := l.snapshot(); s.Connections != 0 || s.Busy != 0 || s.Timers != 0 || s.Entries != 0 || s.Buffered != 0 {
		t.Errorf("at the start: %+v", s)
	}
	c := open(t, l)
	c.sends([]byte{0x82}) // half a header
	l.call(c.fd, c.slot, func(c *websocket.Conn) error { c.After(maxDeadline, nop); return nil })
	s := l.snapshot()
	if s.Upgrades != 1 || s.Connections != 1 || s.Busy != 1 || s.Timers != 1 || s.Entries != 2 || s.Buffered != 1<<smallest {
		t.Errorf("with a connection, a timer and half a frame: %+v", s)
	}
	l.cut(c.fd, c.slot, websocket.ErrReset)
	s = l.snapshot()
	if s.Closed[websocket.CauseReset] != 1 || s.Connections != 0 || s.Busy != 0 || s.Timers != 0 || s.Entries != 0 || s.Buffered != 0 {
		t.Errorf("at the end: %+v", s)
	}
}

func nop(*websocket.Conn) error { return nil }

// TestStatsAtTheEnd: who asks in the moment in which the loops end gets what
// they have counted.
func TestStatsAtTheEnd(t *testing.T) {
	for range 20 {
		s, addr := serving(t, quiet(t))
		p := dial(t, addr)
		p.upgrade()
		s.Cut()
		<-s.ended
		if got := s.Stats(); got.Accepted != 1 || got.Upgrades != 1 {
			t.Errorf("accepted %d, upgrades %d, want 1 and 1", got.Accepted, got.Upgrades)
		}
		_ = unix.Close(p.fd)
	}
}
