package websocket

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// asked returns what f sees of a plain request.
func asked(t *testing.T, pattern, in string, f func(r *Request) string) string {
	t.Helper()
	var got string
	p := newPeer(t, mustCompile(t, map[string]Route{pattern: {HTTP: func(_ *Response, r *Request) error {
		got = f(r)
		return nil
	}}}))
	if p.feed([]byte(in)); p.err != nil {
		t.Fatalf("%q: %v", in, p.err)
	}
	return got
}

func TestRequest(t *testing.T) {
	const all = "/{rest...}"
	get := func(target string) string { return head("GET "+target+" HTTP/1.1", host) }
	path := func(r *Request) string { return r.Path() }
	hostOf := func(r *Request) string { return r.Host() }
	param := func(name string) func(r *Request) string {
		return func(r *Request) string { return r.Param(name) }
	}
	query := func(name string) func(r *Request) string {
		return func(r *Request) string {
			v, ok := r.Query(name)
			return fmt.Sprint(v, " ", ok)
		}
	}
	header := func(name string) func(r *Request) string {
		return func(r *Request) string {
			v, ok := r.Header(name)
			return fmt.Sprint(v, " ", ok)
		}
	}
	for _, test := range []struct {
		pattern, in string
		f           func(r *Request) string
		want        string
	}{
		{all, get("/a%2Fb%20%25x"), path, "/a/b %x"},
		{all, get("//a/../b/."), path, "//a/../b/."},
		{all, get("http://h"), path, "/"},
		{all, get("/a?b?c=d"), func(r *Request) string { return r.RawQuery() }, "b?c=d"},
		{all, get("/a"), func(r *Request) string { return r.Method() }, "GET"},
		{all, head("HEAD / HTTP/1.1", host), func(r *Request) string { return r.Method() }, "HEAD"},
		{all, get("/"), func(r *Request) string { return r.Pattern() }, all},
		{all, get("/"), hostOf, "example.com"},
		{all, get("http://other:81/"), hostOf, "other:81"},
		{all, get("http://[::1]:81?x"), hostOf, "[::1]:81"},
		{"/status/{code}", get("/status/404"), param("code"), "404"},
		{"/status/{code}", get("/status/404"), param("status"), ""},
		{"/{a}/x/{b}", get("/1/x/%32"), param("b"), "2"},
		{"/f/{rest...}", get("/f/1/2/"), param("rest"), "1/2/"},
		{"/f/{rest...}", get("/f/"), param("rest"), ""},
		{"/exact", get("/exact"), param("exact"), ""},
		{all, get("/?a=1&a=2"), query("a"), "1 true"},
		{all, get("/?b&a"), query("a"), " true"},
		{all, get("/?b=a"), query("a"), " false"},
		{all, get("/"), query("a"), " false"},
		{all, get("/?%61%3d=x+%2B%zz%4"), query("a="), "x +%zz%4 true"},
		{all, get("/?a=1=2&&"), query("a"), "1=2 true"},
		{all, head("GET / HTTP/1.1", host, "X_a@b: 1"[:3]+": \t v w \t", "x_A: 2"), header("x_a"), "v w true"},
		{all, get("/"), header("X"), " false"},
		{all, get("/"), header("HOST"), "example.com true"},
		{all, head("GET / HTTP/1.1", host, "A:", "b: \t"), func(r *Request) string {
			var s []string
			r.Headers(func(n, v []byte) bool { s = append(s, string(n)+"="+string(v)); return true })
			return strings.Join(s, "|")
		}, "Host=example.com|A=|b="},
		{all, get("/?a=1&b=%32"), func(r *Request) string {
			var s []string
			r.Queries(func(n, v string) bool { s = append(s, n+"="+v); return true })
			return strings.Join(s, "|")
		}, "a=1|b=2"},
	} {
		if got := asked(t, test.pattern, test.in, test.f); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

// What a Request returns as a string outlives it.
func TestRequestCopies(t *testing.T) {
	var kept []string
	p := newPeer(t, mustCompile(t, map[string]Route{"/{x}": {HTTP: func(_ *Response, r *Request) error {
		v, _ := r.Header("X")
		q, _ := r.Query("q")
		kept = []string{v, q, r.Path(), r.RawQuery(), r.Host(), r.Param("x")}
		return nil
	}}}))
	in := []byte(head("GET /%61b?q=1 HTTP/1.1", host, "X: y"))
	if _, _, err := p.Receive(in); err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(kept)
	for i := range want {
		want[i] = strings.Clone(want[i])
	}
	clear(in)
	clear(p.up.path)
	if !slices.Equal(kept, want) || kept[0] != "y" || kept[2] != "/ab" {
		t.Errorf("got %q, want %q", kept, want)
	}
}

func TestClean(t *testing.T) {
	for b := range 256 {
		for at := range 20 {
			v := []byte("abc\tdefgh ~\xff\xffjklmnopq")
			v[at] = byte(b)
			if got, want := clean(v), cleanBytes(v); got != want {
				t.Fatalf("%q: got %v, want %v", v, got, want)
			}
		}
	}
}

func TestAuthority(t *testing.T) {
	for v, want := range map[string]bool{
		"a": true, "a.b-c:80": true, "127.0.0.1:1": true, "[::1]": true, "[::1]:65535": true, "a:": true, "[1:2::3]:": true,
		"": false, ":80": false, "a:b": false, "a:80:80": false, "[::1": false, "[]": false, "[::1]x": false, "[127.0.0.1]": false,
		"[fe80::1%25eth0]": false, "a b": false, "a/b": false, "a@b": false, "a?b": false, "a%62": false, "a:123456": false, "\xc3\xa9": false,
	} {
		if got := isAuthority([]byte(v)); got != want {
			t.Errorf("%q: got %v, want %v", v, got, want)
		}
	}
}
