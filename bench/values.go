package main

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Size is a number of bytes.
type Size int

// sizeUnits are the suffixes of a Size, the largest first.
var sizeUnits = []struct {
	suffix string
	bytes  int
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText reads 64, 1KiB or 1MB; without a suffix it is bytes.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), 1
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = n, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt/uint64(unit) {
		return fmt.Errorf("%q is not a size: accepted are bytes as 64, 1KiB, 1MiB, 64KB, 1MB", text)
	}
	*s = Size(int(n) * unit)
	return nil
}

// String writes s in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && u.bytes > 1 && int(s)%u.bytes == 0 {
			return strconv.Itoa(int(s)/u.bytes) + u.suffix
		}
	}
	return strconv.Itoa(int(s)) + "B"
}

// Number is a count, or so many a second.
type Number float64

// UnmarshalText reads 100, 0.5, 50k or 1M.
func (n *Number) UnmarshalText(text []byte) error {
	digits, unit := string(text), 1.0
	for suffix, times := range map[string]float64{"k": 1e3, "M": 1e6} {
		if d, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = d, times
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.Trim(digits, "0123456789.") != "" || f*unit > 1e15 {
		return fmt.Errorf("%q is not a number: accepted are 100, 0.5, 50k, 1M", text)
	}
	*n = Number(f * unit)
	return nil
}

// Sources are the addresses that connections come from.
type Sources []netip.Addr

// maxSources is more than any machine has use for: one address has about
// 28,000 ports for each server.
const maxSources = 1 << 16

// UnmarshalText reads 127.0.0.2-127.0.0.60, or addresses with commas.
func (s *Sources) UnmarshalText(text []byte) error {
	*s = nil
	for part := range strings.SplitSeq(string(text), ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err := netip.ParseAddr(first)
		to, err2 := netip.ParseAddr(last)
		if err != nil || err2 != nil || from.BitLen() != to.BitLen() || to.Less(from) {
			return fmt.Errorf("%q are no addresses: accepted are 127.0.0.2, 127.0.0.2-127.0.0.60 and lists of them with commas", text)
		}
		for a := from; ; a = a.Next() {
			if *s = append(*s, a); len(*s) > maxSources {
				return fmt.Errorf("%q are more than %d addresses", text, maxSources)
			}
			if a == to {
				break
			}
		}
	}
	return nil
}

// HeaderLine is a header of the upgrade request.
type HeaderLine struct{ name, value string }

// ownHeaders are those that make the request an upgrade, and what says them
// instead, if there is something to say.
var ownHeaders = map[string]string{
	"connection": "", "upgrade": "", "content-length": "", "transfer-encoding": "",
	"sec-websocket-key": "", "sec-websocket-version": "", "sec-websocket-accept": "",
	"sec-websocket-protocol": ", --subprotocol says it", "sec-websocket-extensions": ", --compression says it",
}

// UnmarshalText reads NAME: VALUE.
func (h *HeaderLine) UnmarshalText(text []byte) error {
	name, value, ok := strings.Cut(string(text), ":")
	value = strings.Trim(value, " \t")
	if !ok || !isToken(name) || strings.ContainsFunc(value, isControl) {
		return fmt.Errorf("%q is not a header: accepted is NAME: VALUE", text)
	}
	if instead, own := ownHeaders[strings.ToLower(name)]; own {
		return fmt.Errorf("%s belongs to the upgrade itself%s", name, instead)
	}
	*h = HeaderLine{name, value}
	return nil
}

// isToken reports whether s is a token of RFC 9110 §5.6.2, as names are.
func isToken(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(others, r))
	})
}

// isControl is what RFC 9110 §5.5 forbids in values.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// decoders are kong's mappers for types whose own do not say what they accept.
func decoders() []kong.Option {
	return []kong.Option{
		kong.KindMapper(reflect.Int, decoder(parseInt)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), decoder(parseDuration)),
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

// parseInt reads 19000 or 19k.
func parseInt(text string) (int, error) {
	var n Number
	if err := n.UnmarshalText([]byte(text)); err != nil || n != Number(math.Trunc(float64(n))) || n > math.MaxInt32 {
		return 0, fmt.Errorf("%q is not a whole number: accepted are 100, 19k, 1M", text)
	}
	return int(n), nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: accepted are numbers with a unit as 500ms, 10s, 5m", text)
	}
	return d, nil
}
