package main

import (
	"math"
	"strconv"
	"strings"
)

// formatDigits writes v with so many digits that count, and never in the form
// 1e+06. What is whole stays so.
func formatDigits(v float64, digits int) string {
	if v == math.Trunc(v) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	before := int(math.Floor(math.Log10(math.Abs(v)))) + 1 // digits before the point
	return strconv.FormatFloat(v, 'f', max(digits-before, 0), 64)
}

// formatNumber writes a rate or a count, with a comma at every thousand.
func formatNumber(v float64, digits int) string {
	return groupThousands(formatDigits(v, digits))
}

func groupThousands(s string) string {
	whole, fraction, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// scale is a unit and how many of the smallest one it has.
type scale struct {
	unit   string
	factor float64
}

// formatScaled writes v in the largest unit that it has one of.
func formatScaled(v float64, digits int, scales ...scale) string {
	chosen := scales[0]
	for _, s := range scales {
		if math.Abs(v) >= s.factor {
			chosen = s
		}
	}
	return formatDigits(v/chosen.factor, digits) + " " + chosen.unit
}

// formatMicros writes a number of microseconds as ns, µs, ms or s.
func formatMicros(v float64, digits int) string {
	if v == 0 {
		return "0 µs"
	}
	return formatScaled(v, digits, scale{"ns", 1e-3}, scale{"µs", 1}, scale{"ms", 1e3}, scale{"s", 1e6})
}

// formatBytes writes a number of bytes as B, KiB, MiB or GiB.
func formatBytes(v float64, digits int) string {
	return formatScaled(v, digits, scale{"B", 1}, scale{"KiB", 1 << 10}, scale{"MiB", 1 << 20}, scale{"GiB", 1 << 30})
}
