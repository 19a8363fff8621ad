package websocket

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Routes is an immutable routing table: a reload makes another one.
type Routes struct {
	version uint16
	maxHead int
	list    []compiled // sorted by pattern
	limits  Limits
	deflate Deflate
	exact   map[string]int // index of patterns without parameters
	loose   []int          // index of the others, the most specific first
	listing string         // what a 404 says
}

type compiled struct {
	route    Route
	own      Limits // as the Route has them
	pattern  string
	segments []segment // nil: exact

	// Of an alias: the path that it stands for, its route's segments, the query.
	to         []byte
	toSegments []segment
	query      []byte
}

// A segment of a pattern is what stands between two slashes.
type segment struct {
	kind segmentKind
	text string // literal: the text; else the parameter's name
}

type segmentKind uint8

const (
	literal segmentKind = iota
	param               // {name}: one segment that is not empty
	rest                // {name...}: all that follows, perhaps nothing
)

// Compile makes a routing table of patterns. "/echo" is exactly that path;
// {name} in "/status/{code}" stands for one whole segment, and {name...} at the
// end of a pattern for all that follows. An exact pattern comes before one with
// parameters and that before a catch-all; among each, what is literal further
// left comes first. A trailing slash makes another path.
func Compile(routes map[string]Route) (*Routes, error) {
	if len(routes) > math.MaxUint16 {
		return nil, fmt.Errorf("websocket: %d routes, at most %d are possible", len(routes), math.MaxUint16)
	}
	t := &Routes{deflate: DefaultDeflate()}
	shapes := make(map[string]string)
	for pattern, r := range routes {
		segments, err := parsePattern(pattern)
		if err == nil {
			err = checkRoute(&r)
		}
		if err != nil {
			return nil, fmt.Errorf("websocket: route %q: %w", pattern, err)
		}
		shape := shapeOf(pattern, segments)
		if other, ok := shapes[shape]; ok {
			return nil, fmt.Errorf("websocket: routes %q and %q match the same paths", min(pattern, other), max(pattern, other))
		}
		shapes[shape] = pattern
		t.list = append(t.list, compiled{route: r, own: r.Limits, pattern: pattern, segments: segments})
	}
	t.index()
	return t.With(0, Limits{}, 0), nil
}

// index sorts the list and makes what is looked up.
func (t *Routes) index() {
	slices.SortFunc(t.list, func(a, b compiled) int { return strings.Compare(a.pattern, b.pattern) })
	t.exact, t.loose = make(map[string]int, len(t.list)), nil
	for i := range t.list {
		if t.list[i].segments == nil {
			t.exact[t.list[i].pattern] = i
			continue
		}
		t.loose = append(t.loose, i)
	}
	slices.SortFunc(t.loose, func(a, b int) int { return specific(t.list[a].segments, t.list[b].segments) })
	t.listing = "no such path; there are:\n  " + strings.Join(t.Patterns(), "\n  ")
}

// With is a copy of the table, as version, whose routes take the limits they
// leave open from l, and what l leaves open from DefaultLimits. maxHead bounds a
// request's head; 0 takes the default, negative allows as much as can be kept.
func (t *Routes) With(version uint16, l Limits, maxHead int) *Routes {
	u := *t
	u.version = version
	u.limits = l.or(DefaultLimits())
	if u.maxHead = cmp.Or(maxHead, DefaultMaxHead); u.maxHead < 0 || u.maxHead > headCap {
		u.maxHead = headCap
	}
	u.list = slices.Clone(t.list)
	for i := range u.list {
		u.list[i].route.Limits = u.list[i].own.or(u.limits)
	}
	return &u
}

// Len is how many routes there are.
func (t *Routes) Len() int { return len(t.list) }

// Pattern is that of the route with that index.
func (t *Routes) Pattern(i int) string { return t.list[i].pattern }

// Patterns are all patterns, sorted.
func (t *Routes) Patterns() []string {
	all := make([]string, len(t.list))
	for i := range t.list {
		all[i] = t.list[i].pattern
	}
	return all
}

// find returns the index of the route for path, -1 when there is none. It does
// not allocate.
func (t *Routes) find(path []byte) int {
	if i, ok := t.exact[string(path)]; ok {
		return i
	}
	for _, i := range t.loose {
		if matchSegments(t.list[i].segments, path) {
			return i
		}
	}
	return -1
}

func matchSegments(segments []segment, path []byte) bool {
	for _, s := range segments {
		v, left, ok := cutSegment(path, s.kind)
		if !ok || s.kind == literal && string(v) != s.text || s.kind == param && len(v) == 0 {
			return false
		}
		path = left
	}
	return len(path) == 0
}

// cutSegment cuts a slash and the segment behind it off path.
func cutSegment(path []byte, kind segmentKind) (v, left []byte, ok bool) {
	if len(path) == 0 || path[0] != '/' {
		return nil, nil, false
	}
	path = path[1:]
	if kind == rest {
		return path, nil, true
	}
	if i := bytes.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:], true
	}
	return path, nil, true
}

// parsePattern returns the segments of a pattern, none for an exact one.
func parsePattern(pattern string) ([]segment, error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, fmt.Errorf("does not begin with a slash")
	}
	if !strings.ContainsAny(pattern, "{}") {
		return nil, nil
	}
	var segments []segment
	for part := range strings.SplitSeq(pattern[1:], "/") {
		if n := len(segments); n > 0 && segments[n-1].kind == rest {
			return nil, fmt.Errorf("{%s...} is not at the end", segments[n-1].text)
		}
		s, err := parseSegment(part)
		if err != nil {
			return nil, err
		}
		if s.kind != literal && slices.ContainsFunc(segments, func(o segment) bool { return o.kind != literal && o.text == s.text }) {
			return nil, fmt.Errorf("parameter %q comes twice", s.text)
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func parseSegment(part string) (segment, error) {
	if !strings.ContainsAny(part, "{}") {
		return segment{literal, part}, nil
	}
	name, opened := strings.CutPrefix(part, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !opened || !closed {
		return segment{}, fmt.Errorf("a parameter must be a whole segment, not %q", part)
	}
	kind := param
	if before, ok := strings.CutSuffix(name, "..."); ok {
		name, kind = before, rest
	}
	if !isToken([]byte(name)) || strings.ContainsAny(name, "{}.") {
		return segment{}, fmt.Errorf("bad parameter name %q", name)
	}
	return segment{kind, name}, nil
}

// shapeOf is the same for two patterns that match the same paths.
func shapeOf(pattern string, segments []segment) string {
	if segments == nil {
		return pattern
	}
	var b strings.Builder
	for _, s := range segments {
		b.WriteString([]string{"/" + s.text, "/{}", "/{...}"}[s.kind])
	}
	return b.String()
}

// specific orders patterns: those without a catch-all first, then what is
// literal further left.
func specific(a, b []segment) int {
	if c := cmp.Compare(a[len(a)-1].kind/rest, b[len(b)-1].kind/rest); c != 0 {
		return c
	}
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(a[i].kind, b[i].kind); c != 0 {
			return c
		}
	}
	return 0 // no path matches both
}

func checkRoute(r *Route) error {
	if !r.websocket() && r.Upgrade == nil && r.HTTP == nil {
		return fmt.Errorf("no function: neither HTTP nor Upgrade, Open, Message or Head")
	}
	for _, p := range r.Protocols {
		if !isToken([]byte(p)) {
			return fmt.Errorf("bad subprotocol %q", p)
		}
	}
	return nil
}

// websocket reports whether there is anything behind an upgrade.
func (r *Route) websocket() bool { return r.Open != nil || r.Message != nil || r.Head != nil }
