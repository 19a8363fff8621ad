package websocket

import (
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
// that query behind their own. An alias takes the place of a route with the same
// pattern, for which others still stand.
func (t *Routes) Alias(aliases map[string]string) (*Routes, error) {
	u := *t
	u.list = slices.Clone(t.list)
	for _, path := range slices.Sorted(maps.Keys(aliases)) {
		a, err := t.alias(path, aliases[path])
		if err != nil {
			return nil, fmt.Errorf("websocket: alias %q of %q: %w", path, aliases[path], err)
		}
		i, taken := t.exact[path]
		if taken {
			u.list[i] = a
			continue
		}
		u.list = append(u.list, a)
	}
	u.index()
	return &u, nil
}

func (t *Routes) alias(path, target string) (compiled, error) {
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "{}?#") {
		return compiled{}, fmt.Errorf("an alias is one path")
	}
	to, query, _ := strings.Cut(target, "?")
	i := t.find([]byte(to))
	if i < 0 {
		return compiled{}, fmt.Errorf("no such route")
	}
	a := t.list[i]
	a.pattern, a.segments = path, nil
	a.to, a.toSegments, a.query = []byte(to), t.list[i].segments, []byte(query)
	return a, nil
}
