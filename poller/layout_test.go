package poller

import (
	"go/ast"
	"testing"
)

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
