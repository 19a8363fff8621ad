package websocket

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func tableOf(patterns ...string) map[string]Route {
	table := make(map[string]Route)
	for _, p := range patterns {
		table[p] = Route{Message: echoBack}
	}
	return table
}

func TestFind(t *testing.T) {
	routes := mustCompile(t, tableOf("/", "/echo", "/status/{code}", "/status/200", "/status/{code}/x", "/{kind}/last",
		"/files/{rest...}", "/files/{name}/raw", "/files/deep/{rest...}", "/a/{b}/", "/x//y", "/{a}/{b}/{c}/{d}"))
	for path, want := range map[string]string{
		"/":                "/",
		"/echo":            "/echo",
		"/echo/":           "",
		"/Echo":            "",
		"//":               "",
		"/status/200":      "/status/200",
		"/status/404":      "/status/{code}",
		"/status/":         "",
		"/status":          "",
		"/status/404/x":    "/status/{code}/x",
		"/status/last":     "/status/{code}",
		"/other/last":      "/{kind}/last",
		"//last":           "",
		"/files/":          "/files/{rest...}",
		"/files":           "",
		"/files/a/b//c/":   "/files/{rest...}",
		"/files/a/raw":     "/files/{name}/raw",
		"/files/deep/raw":  "/files/{name}/raw",
		"/files/deep/er":   "/files/deep/{rest...}",
		"/a/1/":            "/a/{b}/",
		"/a/1":             "",
		"/status/404/y":    "",
		"/files/a/raw/b/c": "/files/{rest...}",
		"/x//y":            "/x//y",
		"/x/y":             "",
		"/1/2/3/4":         "/{a}/{b}/{c}/{d}",
		"/1/2//4":          "",
		"echo":             "",
		"":                 "",
	} {
		got := ""
		if i := routes.find([]byte(path)); i >= 0 {
			got = routes.Pattern(i)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

func TestFindAllocates(t *testing.T) {
	routes := mustCompile(t, tableOf("/echo", "/status/{code}", "/{rest...}"))
	for _, path := range [][]byte{[]byte("/echo"), []byte("/status/1"), []byte("/a/b/c")} {
		if got := testing.AllocsPerRun(100, func() { routes.find(path) }); got != 0 {
			t.Errorf("%s: %v allocations", path, got)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	message := Route{Message: echoBack}
	for name, test := range map[string]struct {
		table map[string]Route
		want  string // in the error, which names the pattern too
	}{
		"no slash":            {map[string]Route{"echo": message}, `"echo": does not begin with a slash`},
		"empty":               {map[string]Route{"": message}, `"": does not begin with a slash`},
		"part of a segment":   {map[string]Route{"/a{b}": message}, `"/a{b}": a parameter must be a whole segment`},
		"open brace":          {map[string]Route{"/{b": message}, "whole segment"},
		"two in a segment":    {map[string]Route{"/{a}{b}": message}, "bad parameter name"},
		"empty name":          {map[string]Route{"/{}": message}, `bad parameter name ""`},
		"empty rest":          {map[string]Route{"/{...}": message}, `bad parameter name ""`},
		"bad name":            {map[string]Route{"/{a b}": message}, `bad parameter name "a b"`},
		"name twice":          {map[string]Route{"/{a}/{a}": message}, `parameter "a" comes twice`},
		"catch-all in front":  {map[string]Route{"/{a...}/b": message}, `{a...} is not at the end`},
		"same paths":          {map[string]Route{"/x/{a}": message, "/x/{b}": message}, `"/x/{a}" and "/x/{b}" match the same paths`},
		"no function":         {map[string]Route{"/": {Strict: true}}, `"/": no function`},
		"bad subprotocol":     {map[string]Route{"/": {Message: echoBack, Protocols: []string{"a", "b c"}}}, `"/": bad subprotocol "b c"`},
		"subprotocol of none": {map[string]Route{"/": {Message: echoBack, Protocols: []string{""}}}, "bad subprotocol"},
	} {
		if _, err := Compile(test.table); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
	many := make(map[string]Route)
	for i := range 1 << 16 {
		many[fmt.Sprintf("/%d", i)] = message
	}
	if _, err := Compile(many); err == nil {
		t.Error("65,536 routes compiled")
	}
}

func TestPatterns(t *testing.T) {
	routes := mustCompile(t, tableOf("/b", "/{x...}", "/a", "/"))
	want := []string{"/", "/a", "/b", "/{x...}"}
	if got := routes.Patterns(); !slices.Equal(got, want) || routes.Len() != 4 || routes.Pattern(1) != "/a" {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWith(t *testing.T) {
	first := mustCompile(t, map[string]Route{
		"/default": {Message: echoBack},
		"/own":     {Message: echoBack, Limits: Limits{MaxMessage: 7, IdleTimeout: -1}},
	})
	second := first.With(3, Limits{MaxMessage: 5, IdleTimeout: time.Second, PingInterval: -1}, 999)
	third := second.With(4, Limits{MaxMessage: 6}, -1)
	d := DefaultLimits()
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"default of Compile", first.list[0].route.Limits, d},
		{"head of Compile", first.maxHead, DefaultMaxHead},
		{"version", second.version, uint16(3)},
		{"from With", second.list[0].route.Limits.MaxMessage, 5},
		{"own stays", second.list[1].route.Limits.MaxMessage, 7},
		{"off stays", second.list[1].route.Limits.IdleTimeout, time.Duration(-1)},
		{"off from With", second.list[1].route.Limits.PingInterval, time.Duration(-1)},
		{"default behind With", second.list[1].route.Limits.HighWater, d.HighWater},
		{"limits", second.limits.MaxMessage, 5},
		{"head", second.maxHead, 999},
		{"again from With", third.list[0].route.Limits.MaxMessage, 6},
		{"nothing left of before", third.list[0].route.Limits.IdleTimeout, d.IdleTimeout},
		{"head off", third.maxHead, headCap},
		{"first unchanged", first.list[0].route.Limits.MaxMessage, d.MaxMessage},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %v, want %v", test.what, test.got, test.want)
		}
	}
}

// The version and index that stay with the connection find its route again.
func TestRouteStays(t *testing.T) {
	p := newPeer(t, mustCompile(t, tableOf("/a", "/b", "/c")).With(9, Limits{}, 0))
	p.feed([]byte(wsHead("/b")))
	if p.state.version != 9 || p.routes.Pattern(int(p.state.route)) != "/b" {
		t.Errorf("got %+v", p.state)
	}
}
