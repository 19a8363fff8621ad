package websocket

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Match is the pattern of the route for path.
func (t *Routes) Match(path string) (pattern string, ok bool) {
	i := t.find([]byte(path))
	if i < 0 {
		return "", false
	}
	return t.list[i].pattern, true
}

// Alias is the table with more paths: each stands for a path of t, perhaps with
// a query, as in "/calm": "/echo?goodbye=0". Its requests have the parameters of
// that query behind their own. An alias may be a pattern as Compile has them, so
// that "/{any...}" stands where there is no route; what its own parameters were is
// not told. It takes the place of a route that matches the same paths, for which
// others still stand.
func (t *Routes) Alias(aliases map[string]string) (*Routes, error) {
	u := *t
	u.list = slices.Clone(t.list)
	places := make(map[string]int, len(t.list)) // by shape
	for i := range t.list {
		places[shapeOf(t.list[i].pattern, t.list[i].segments)] = i
	}
	taken := make(map[string]string, len(aliases)) // aliases by shape
	for _, path := range slices.Sorted(maps.Keys(aliases)) {
		a, err := t.alias(path, aliases[path])
		if err != nil {
			return nil, fmt.Errorf("websocket: alias %q of %q: %w", path, aliases[path], err)
		}
		shape := shapeOf(a.pattern, a.segments)
		if other, ok := taken[shape]; ok {
			return nil, fmt.Errorf("websocket: aliases %q and %q match the same paths", other, path)
		}
		taken[shape] = path
		if i, ok := places[shape]; ok {
			u.list[i] = a
			continue
		}
		u.list = append(u.list, a)
	}
	u.index()
	return &u, nil
}

func (t *Routes) alias(path, target string) (compiled, error) {
	segments, err := parsePattern(path)
	if err != nil {
		return compiled{}, err
	}
	if strings.ContainsAny(path, "?#") {
		return compiled{}, errors.New("an alias is a path, without ? and #")
	}
	to, query, _ := strings.Cut(target, "?")
	i := t.find([]byte(to))
	if i < 0 {
		return compiled{}, errors.New("no such route")
	}
	a := t.list[i]
	a.pattern, a.segments = path, segments
	a.to, a.toSegments, a.query = []byte(to), t.list[i].segments, []byte(query)
	return a, nil
}
