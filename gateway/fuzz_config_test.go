package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// FuzzFile: whatever is in the file, it is taken or refused. A refusal names the
// file and the line; what is taken is within its bounds, and says the same when
// it is written down again.
func FuzzFile(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "fuzz.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, c, err := parse([]string{"--config", path}, lookup(nil), io.Discard)
		if err != nil {
			wantPlace(t, path, data, err)
			return
		}
		wantBounds(t, c)
		wantSame(t, c, path)
	})
}

// wantPlace: a refusal names the file and a line of it. Only YAML errors that
// know no line (in the first one, or where the text is not UTF-8) may name the
// file alone.
func wantPlace(t *testing.T, path string, data []byte, err error) {
	t.Helper()
	if regexp.MustCompile(regexp.QuoteMeta(path) + `:[1-9][0-9]*: ?`).MatchString(err.Error()) {
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var broken error
	for broken == nil {
		broken = decoder.Decode(new(yaml.Node))
	}
	if broken == io.EOF || strings.HasPrefix(broken.Error(), "yaml: line ") || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("the error does not name file and line: %v", err)
	}
}

// wantBounds: what the server is made of is in its range, read once more from
// the limits that the reference names.
func wantBounds(t *testing.T, c *Config) {
	t.Helper()
	most := map[string]int64{"Loops": 1024, "MaxControlRate": 65535, "Port": 65535, "MaxHead": 64 << 10}
	for i, v := 0, reflect.ValueOf(*c); i < v.NumField(); i++ {
		max, name := int64(math.MaxInt64), v.Type().Field(i).Name
		if m, ok := most[name]; ok {
			max = m
		}
		switch v.Field(i).Type() {
		case reflect.TypeFor[time.Duration]():
			max = int64(240 * 24 * time.Hour)
		case reflect.TypeFor[int](), reflect.TypeFor[Size]():
		default:
			continue
		}
		if n := v.Field(i).Int(); n < 0 || n > max {
			t.Errorf("%s: %d was taken, want 0 to %d", name, n, max)
		}
	}
	if c.MaxHead < 512 || len(c.Listen) == 0 || c.HighWater > 0 && c.LowWater >= c.HighWater || c.DrainTimeout > 0 && c.Drain > c.DrainTimeout {
		t.Errorf("what does not go together was taken: %+v", c)
	}
}

// wantSame writes the configuration down, reads it, and compares.
func wantSame(t *testing.T, c *Config, path string) {
	t.Helper()
	values := make(map[string]any)
	for _, flag := range options(newParser(&commandLine{Config: *c}, io.Discard, nil)) {
		if flag.Name == "config" || flag.Name == "port" { // listen has the port by now
			continue
		}
		values[flag.Name] = written(flag.Target.Interface())
	}
	data, err := yaml.Marshal(values)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, again, err := parse([]string{"--config", path}, lookup(nil), io.Discard)
	if err != nil {
		t.Fatalf("written down it is refused: %v\n%s", err, data)
	}
	got, want := *again, *c
	same := slices.Equal(got.Listen, want.Listen) && slices.Equal(got.Origin, want.Origin) && slices.Equal(got.Alias, want.Alias) && slices.Equal(got.TrustedProxies, want.TrustedProxies)
	for _, c := range []*Config{&got, &want} {
		c.Listen, c.Origin, c.Alias, c.TrustedProxies, c.Port, c.origins = nil, nil, nil, nil, 0, nil
		for _, list := range []*[]string{&c.TLSCert, &c.TLSKey, &c.TLSClientCA} {
			if len(*list) == 0 {
				*list = nil
			}
		}
	}
	if !same || !reflect.DeepEqual(got, want) {
		t.Errorf("written down it is another:\n got %+v\nwant %+v\n%s", *again, *c, data)
	}
}

// written is a value as a file would have it.
func written(v any) any {
	switch v := v.(type) {
	case []string:
		return v
	case slog.Level:
		return strings.ToLower(v.String())
	}
	return fmt.Sprint(v)
}
