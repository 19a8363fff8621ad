package poller

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file keeps the rules of who may import what, with their reasons.

// module is the path in go.mod.
const module = "echogate"

// A use is an import, or a name of an imported package.
type use struct{ pkg, name string }

func (u use) String() string { return strings.TrimSuffix(u.pkg+"."+u.name, ".") }

// A rule says what the files of a directory may not use, and why.
type rule struct {
	dir   string // "" is every directory
	below bool   // what lies below dir too
	bad   func(use) bool
	why   string
}

var rules = []rule{
	{"poller/websocket", false, packages("github.com/panjf2000/gnet"),
		"the protocol is bytes in, bytes out: it knows no mover"},
	{"poller", true, packages("compress"),
		"klauspost's flate is faster at every level, and can keep to a window that a client asks for"},
	{"poller/websocket", false, tree("net", "net/netip"),
		"the protocol does no I/O"},
	{"poller/websocket", false, packages("crypto/tls", "crypto/x509"),
		"encryption is the mover's; what a handler may know of it is strings"},
	{"poller/websocket", false, packages("os", "sync", "log", "unsafe", "syscall", "runtime/cgo", "golang.org/x/sys/unix"),
		"the protocol belongs to one goroutine, and has no side effects"},
	{"poller/websocket", false, names("time", "Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"),
		"time is what the Loop says it is, so that tests set the clock by hand"},
	{"poller", false, packages("flag", "net/http", "github.com/alecthomas/kong"),
		"configuration is the program's, and HTTP the protocol's"},
	{"poller", false, names("os", "NewSyscallError"),
		"the library reads no environment, arguments or files"},
	{"poller/address", false, packages(module, "golang.org/x/sys", "os", "syscall"),
		"an address is text: the program judges it on any system, before anything is opened"},
	{"poller", true, outside("github.com/gobwas/ws", "github.com/panjf2000/gnet/v2", "golang.org/x/sys", "github.com/klauspost/compress/flate", module+"/poller"),
		"the core has gnet, gobwas/ws, x/sys, klauspost's flate and nothing else"},
	{"gateway", true, packages("github.com/panjf2000/gnet"),
		"the program sees the poller, not what it stands on"},
	{"gateway/zoo", true, tree(module+"/poller", module+"/poller/websocket"),
		"a handler sees the protocol, not what moves its bytes"},
	{"gateway", false, packages("github.com/prometheus", "net/http/pprof"),
		"metrics and profiles are the admin port's: the program knows only its counters"},
	{"bench", true, only(module, module+"/bench"),
		"two readings of RFC 6455 meet on the wire: the load generator shares no code with the server"},
	{"", true, packages("C"), "a build needs Go alone"},
}

// few names the files that alone may import something, and why.
var few = []struct {
	imported string
	files    []string
	why      string
}{
	{"github.com/panjf2000/gnet/v2/pkg/netpoll", []string{"poller/loop.go", "poller/wait.go"},
		"loop.go turns on netpoll; wait.go has it watch the interest list"},
	{"github.com/panjf2000/gnet/v2/pkg/errors", []string{"poller/loop.go", "poller/drain.go"},
		"its error is how a callback ends netpoll's Polling"},
	{"unsafe", []string{"poller/socket_linux.go"},
		"raw system calls, with a record that shows what they win"},
}

// packages forbids imports, with all below them.
func packages(paths ...string) func(use) bool {
	return func(u use) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return within(u.pkg, p) })
	}
}

// tree forbids a package and all below it but some.
func tree(root string, but ...string) func(use) bool {
	return func(u use) bool { return within(u.pkg, root) && !slices.Contains(but, u.pkg) }
}

// only forbids what lies below root outside of but.
func only(root, but string) func(use) bool {
	return func(u use) bool { return within(u.pkg, root) && !within(u.pkg, but) }
}

// outside forbids every module but these: the standard library has no dot in
// its first element.
func outside(modules ...string) func(use) bool {
	allowed := packages(modules...)
	return func(u use) bool {
		first, _, _ := strings.Cut(u.pkg, "/")
		return (strings.Contains(first, ".") || first == module) && !allowed(u)
	}
}

// names forbids all names of a package but some.
func names(pkg string, but ...string) func(use) bool {
	return func(u use) bool { return u.pkg == pkg && u.name != "" && !slices.Contains(but, u.name) }
}

func within(s, root string) bool { return s == root || strings.HasPrefix(s, root+"/") }

// source is one file that is no test.
type source struct {
	path  string // from the root of the module
	lines int
	set   *token.FileSet
	file  *ast.File
}

func parse(t *testing.T, name string, text []byte) source {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{name, strings.Count(string(text), "\n"), set, file}
}

// uses are the imports of a file, and the names of them that it uses.
func (s source) uses() []use {
	var all []use
	imported := map[string]string{}
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		name := path.Base(p)
		if i.Name != nil {
			name = i.Name.Name
		}
		imported[name] = p
		all = append(all, use{pkg: p})
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && imported[x.Name] != "" {
				all = append(all, use{imported[x.Name], sel.Sel.Name})
			}
		}
		return true
	})
	return all
}

// violations are the rules that a file breaks.
func violations(s source) []string {
	var found []string
	dir := path.Dir(s.path)
	for _, u := range s.uses() {
		for _, r := range rules {
			if (dir == r.dir || r.below && (r.dir == "" || within(dir, r.dir))) && r.bad(u) {
				found = append(found, fmt.Sprintf("%s uses %s: %s", s.path, u, r.why))
			}
		}
		for _, f := range few {
			if u == (use{pkg: f.imported}) && dir == "poller" && !slices.Contains(f.files, s.path) {
				found = append(found, fmt.Sprintf("%s uses %s, which is for %q: %s", s.path, u, f.files, f.why))
			}
		}
	}
	return found
}

// sources are all files of the module that are no tests.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := path.Base(name)
			if base == "testdata" || base != "." && strings.HasPrefix(base, ".") || name != "." && exists(root, name+"/go.mod") {
				return fs.SkipDir // a nested module has rules of its own
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err == nil {
			all = append(all, parse(t, name, text))
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}

func exists(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, v := range violations(s) {
			t.Error(v)
		}
	}
}

// TestRulesBite: each rule finds what it is for.
func TestRulesBite(t *testing.T) {
	for _, tt := range []struct {
		path, body string
		bad        bool
	}{
		{"poller/websocket/x.go", `import "github.com/panjf2000/gnet/v2/pkg/netpoll"; var _ = netpoll.OpenPoller`, true},
		{"poller/websocket/x.go", `import "net"; var _ net.Conn`, true},
		{"poller/websocket/x.go", `import "crypto/tls"; var _ tls.Config`, true},
		{"poller/websocket/x.go", `import "net/http"; var _ http.Header`, true},
		{"poller/websocket/x.go", `import "net/netip"; var _ netip.Addr`, false},
		{"poller/websocket/x.go", `import "sync/atomic"; var _ atomic.Int32`, true},
		{"poller/websocket/x.go", `import "log/slog"; var _ slog.Logger`, true},
		{"poller/websocket/x.go", `import "time"; var _ time.Duration = time.Second`, false},
		{"poller/websocket/x.go", `import "time"; var _ = time.Now`, true},
		{"poller/websocket/x.go", `import clock "time"; var _ = clock.NewTimer`, true},
		{"poller/websocket/x.go", `import "github.com/klauspost/compress/flate"`, false},
		{"poller/websocket/x.go", `import "github.com/klauspost/compress/zstd"`, true},
		{"poller/websocket/x.go", `import "compress/flate"`, true},
		{"poller/websocket/x.go", `import "echogate/gateway"`, true},
		{"poller/websocket/kit/x.go", `import ("time"; "testing"); var _ = time.Now; var _ testing.T`, false},
		{"poller/x.go", `import "os"; var _ = os.Getenv`, true},
		{"poller/x.go", `import "os"; var _ = os.NewSyscallError`, false},
		{"poller/x.go", `import "flag"; var _ = flag.Parse`, true},
		{"poller/x.go", `import "github.com/panjf2000/gnet/v2/pkg/netpoll"`, true},
		{"poller/loop.go", `import "github.com/panjf2000/gnet/v2/pkg/netpoll"`, false},
		{"poller/x.go", `import "unsafe"; var _ unsafe.Pointer`, true},
		{"poller/address/x.go", `import "golang.org/x/sys/unix"`, true},
		{"poller/address/x.go", `import "net"; var _ net.Addr`, false},
		{"gateway/admin/x.go", `import "github.com/panjf2000/gnet/v2"`, true},
		{"gateway/x.go", `import "github.com/prometheus/client_golang/prometheus"`, true},
		{"gateway/admin/x.go", `import "github.com/prometheus/client_golang/prometheus"`, false},
		{"gateway/x.go", `import ("net/http"; "github.com/alecthomas/kong"; "echogate/poller")`, false},
		{"bench/x.go", `import "echogate/poller/websocket"`, true},
		{"bench/load/x.go", `import "echogate/bench/report"`, false},
		{"gateway/x.go", `import "C"`, true},
	} {
		s := parse(t, tt.path, []byte("package x\n"+tt.body))
		if v := violations(s); (len(v) > 0) != tt.bad {
			t.Errorf("%s: %s: violations %q", tt.path, tt.body, v)
		}
	}
}
