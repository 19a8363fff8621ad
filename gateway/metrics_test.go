//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"echogate/gateway/admin"
)

// TestReferenceOfMetrics compares the metrics table of deploy/README.md with
// what the admin port exports.
func TestReferenceOfMetrics(t *testing.T) {
	keepTable(t, "../deploy/README.md", "metrics", metricTable())
}

// metricTable is the reference in Markdown.
func metricTable() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	all := admin.Reference(new(gateway).counters())
	slices.SortFunc(all, func(a, b admin.Metric) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range all {
		labels := "–"
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labels, m.Help)
	}
	return b.String()
}
