package poller

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

// TestPackageComments: what a package is for stands in its doc.go, or in the
// only file that it has.
func TestPackageComments(t *testing.T) {
	files, said := map[string]int{}, map[string]string{}
	all := sources(t)
	for _, s := range all {
		files[path.Dir(s.path)]++
	}
	for _, s := range all {
		dir := path.Dir(s.path)
		if s.file.Doc == nil {
			continue
		}
		if path.Base(s.path) != "doc.go" && files[dir] > 1 {
			t.Errorf("%s has a package comment: that is doc.go's", s.path)
		}
		said[dir] = s.file.Doc.Text()
	}
	for dir := range files {
		name := path.Base(dir) + " "
		if text := said[dir]; !strings.HasPrefix(text, "Package "+name) && !strings.HasPrefix(text, "Command "+name) {
			t.Errorf("%s: its package comment begins %.40q, want \"Package %s…\"", dir, text, name)
		}
	}
}

// TestSizes: a file is one subject, a function one thought.
func TestSizes(t *testing.T) {
	const maxFile, maxFunc = 400, 60
	for _, s := range sources(t) {
		if s.lines > maxFile {
			t.Errorf("%s has %d lines, at most %d are allowed", s.path, s.lines, maxFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			if n > maxFunc {
				t.Errorf("%s: %s has %d lines, at most %d are allowed", s.path, f.Name.Name, n, maxFunc)
			}
		}
	}
}
