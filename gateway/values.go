package main

import (
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// A Size is a number of bytes.
type Size int

// units are the suffixes of a Size, the largest first: String takes the first
// that divides.
var units = []struct {
	suffix string
	bytes  int
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText reads 65536, 64KiB or 1MB; without a suffix it is bytes.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), 1
	for _, u := range units {
		if n, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = n, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt/uint64(unit) {
		return fmt.Errorf("%q is not a size: accepted are bytes as 65536, 64KiB, 1MiB, 1GiB, 64KB, 1MB, 1GB", text)
	}
	*s = Size(int(n) * unit)
	return nil
}

// String writes s in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && u.bytes > 1 && int(s)%u.bytes == 0 {
			return strconv.Itoa(int(s)/u.bytes) + u.suffix
		}
	}
	return strconv.Itoa(int(s))
}

// A Format is how log lines are written.
type Format string

// The formats. Auto is text on a terminal and JSON elsewhere.
const (
	FormatAuto Format = "auto"
	FormatText Format = "text"
	FormatJSON Format = "json"
)

// UnmarshalText accepts the name of a format.
func (f *Format) UnmarshalText(text []byte) error {
	return oneOf(f, text, "is not a log format", FormatAuto, FormatText, FormatJSON)
}

// ClientAuth is what clients have to show of themselves.
type ClientAuth string

// Who is asked for a certificate, and must have one.
const (
	ClientAuthOff      ClientAuth = "off"
	ClientAuthOptional ClientAuth = "optional"
	ClientAuthRequire  ClientAuth = "require"
)

// UnmarshalText accepts off, optional and require.
func (a *ClientAuth) UnmarshalText(text []byte) error {
	return oneOf(a, text, "is not a way to ask clients", ClientAuthOff, ClientAuthOptional, ClientAuthRequire)
}

// A Switch is on or off.
type Switch string

// The positions of a Switch.
const (
	SwitchOn  Switch = "on"
	SwitchOff Switch = "off"
)

// UnmarshalText accepts on and off.
func (s *Switch) UnmarshalText(text []byte) error {
	return oneOf(s, text, "is neither", SwitchOn, SwitchOff)
}

// oneOf sets v to the value that text names. wrong is what any other is.
func oneOf[T ~string](v *T, text []byte, wrong string, accepted ...T) error {
	names := make([]string, len(accepted))
	for i, a := range accepted {
		if names[i] = string(a); names[i] == string(text) {
			*v = a
			return nil
		}
	}
	return fmt.Errorf("%q %s: accepted are %s", text, wrong, strings.Join(names, ", "))
}

// decoders are kong's mappers for the types of other packages: the library's
// own do not say what they accept.
func decoders() []kong.Option {
	return []kong.Option{
		kong.KindMapper(reflect.Int, decoder(parseInt)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), decoder(parseDuration)),
		kong.TypeMapper(reflect.TypeFor[slog.Level](), decoder(parseLevel)),
	}
}

// decoder makes a mapper of a function that reads one value.
func decoder[T any](parse func(string) (T, error)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		v, err := parse(text)
		if err != nil {
			return err
		}
		target.Set(reflect.ValueOf(v).Convert(target.Type()))
		return nil
	}
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number: accepted are whole numbers as 65536", text)
	}
	return n, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: accepted are numbers with a unit as 500ms, 10s, 1h30m", text)
	}
	return d, nil
}

// parseLevel is stricter than slog.Level's own, which also takes INFO+2.
func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%q is not a log level: accepted are debug, info, warn, error", text)
}
