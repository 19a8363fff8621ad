package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// from is where a value came from; the greater one wins.
type from uint8

// The sources of a value.
const (
	fromDefault from = iota
	fromFile
	fromEnvironment
	fromCommandLine
)

// An origin is the source of one value, and how messages name it there.
type origin struct {
	from from
	name string
}

// A setting is the text of one value that the command line did not give.
type setting struct {
	origin
	text string
}

// sources are the environment and the file: a kong.Resolver. kong's own reading
// of the environment would reach past our caller to the process, and its YAML
// loader would let the file win, skip unknown keys and know no lines.
type sources map[string]setting

// Validate implements kong.Resolver; add has judged every value already.
func (s sources) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: it is asked for what the command line does
// not give.
func (s sources) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if v, ok := s[flag.Name]; ok {
		return v.text, nil
	}
	return nil, nil
}

// add takes a value for flag, which must be one that the flag accepts.
func (s sources) add(flag *kong.Flag, o origin, text string) error {
	scratch := reflect.New(flag.Target.Type()).Elem()
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, scratch); err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	s[flag.Name] = setting{o, text}
	return nil
}

// environment returns the variable of a flag, unless it is empty: compose files
// pass on variables that were never set as empty ones.
func environment(flag string, env func(string) (string, bool)) (o origin, text string, ok bool) {
	o = origin{fromEnvironment, variable(flag)}
	text, _ = env(o.name)
	// Kubernetes gives every pod beside a Service named echogate an
	// ECHOGATE_PORT=tcp://10.0.0.1:9998 (its service links), which is not ours.
	if flag == "port" && strings.HasPrefix(text, "tcp://") {
		return o, "", false
	}
	return o, text, text != ""
}

// variable is the name of a flag's environment variable.
func variable(flag string) string {
	return "ECHOGATE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// addEnvironment takes the variables of flags.
func (s sources) addEnvironment(flags []*kong.Flag, env func(string) (string, bool)) error {
	for _, flag := range flags {
		if o, text, ok := environment(flag.Name, env); ok {
			if err := s.add(flag, o, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// addFile takes the values of the YAML file at path.
func (s sources) addFile(flags []*kong.Flag, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.addYAML(flags, path, f)
}

// addYAML takes the values of a YAML document, which messages call path: one
// mapping from the names of flags to a value, or to a list of them where the
// flag is repeatable.
func (s sources) addYAML(flags []*kong.Flag, path string, r io.Reader) error {
	root, err := document(path, r)
	if root == nil || err != nil {
		return err
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: %s: accepted are lines of key: value", path, root.Line, kind(root))
	}
	lines := make(map[string]int, len(root.Content)/2)
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		at := fmt.Sprintf("%s:%d: %s", path, key.Line, key.Value)
		flag := settable(flags, key.Value)
		if flag == nil {
			return fmt.Errorf("%s: unknown key: accepted are %s", at, keys(flags))
		}
		if lines[key.Value] != 0 {
			return fmt.Errorf("%s: is there already, in line %d: accepted is each key once", at, lines[key.Value])
		}
		lines[key.Value] = key.Line
		text, err := value(flag, root.Content[i+1])
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if err := s.add(flag, origin{fromFile, at}, text); err != nil {
			return err
		}
	}
	return nil
}

// document reads the only document of a file; nil when the file holds none.
func document(path string, r io.Reader) (*yaml.Node, error) {
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(r)
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, located(path, err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d: a second document: accepted is one", path, second.Line)
	case !errors.Is(err, io.EOF):
		return nil, located(path, err)
	}
	if root := doc.Content[0]; root.Tag != "!!null" {
		return root, nil
	}
	return nil, nil
}

// located puts the file in front of a YAML error, in the file:line form when
// the line is known. The parser counts lines from 0 and does not tell that one;
// what is no text at all is found before anybody counts.
func located(path string, err error) error {
	text, parsed := strings.CutPrefix(err.Error(), "yaml: ")
	if at, ok := strings.CutPrefix(text, "line "); ok {
		return fmt.Errorf("%s:%s", path, at)
	}
	if parsed && !slices.ContainsFunc(noText, func(what string) bool { return strings.Contains(text, what) }) {
		return fmt.Errorf("%s:1: %s", path, text)
	}
	return fmt.Errorf("%s: %s", path, text)
}

// noText is what the parser's errors about bytes that are no text have in them.
var noText = []string{"UTF-8", "UTF-16", "Unicode", "surrogate", "control characters", "input error"}

// value returns the text of a node as the command line would have it.
func value(flag *kong.Flag, n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value, nil
	}
	if !flag.IsSlice() {
		return "", fmt.Errorf("%s: accepted is one value", kind(n))
	}
	if n.Kind != yaml.SequenceNode {
		return "", fmt.Errorf("%s: accepted is a value or a list of values", kind(n))
	}
	items := make([]string, len(n.Content))
	for i, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return "", fmt.Errorf("%s in the list, line %d: accepted are values", kind(item), item.Line)
		}
		items[i] = item.Value
	}
	return kong.JoinEscaped(items, flag.Tag.Sep), nil
}

// kind is what a message calls a node that is in the wrong place.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null":
		return "no value"
	}
	return "a value"
}

// settable returns the flag that a key of the file sets, or nil. A file does
// not name another.
func settable(flags []*kong.Flag, key string) *kong.Flag {
	for _, flag := range flags {
		if flag.Name == key && key != "config" {
			return flag
		}
	}
	return nil
}

// keys lists the keys of a file.
func keys(flags []*kong.Flag) string {
	var names []string
	for _, flag := range flags {
		if settable(flags, flag.Name) != nil {
			names = append(names, flag.Name)
		}
	}
	return strings.Join(names, ", ")
}
