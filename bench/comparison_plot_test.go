package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"testing"
	"time"
)

// The plot is well-formed, and names every candidate but the base, every cell
// without its mode, and the ratios from the base's on.
func TestComparisonPlot(t *testing.T) {
	var b bytes.Buffer
	if err := comparison().WritePlot(&b); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for d, in := xml.NewDecoder(&b), ""; ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			in = token.Name.Local
		case xml.CharData:
			if in == "text" && len(bytes.TrimSpace(token)) > 0 {
				texts = append(texts, string(token))
			}
		}
	}
	for _, want := range []string{"Server CPU per message, ratio to echogate", "other", "a|b", "64 B, pipeline 1", "16 KiB, pipeline 16", "1×", "2×", "20×"} {
		if !slices.Contains(texts, want) {
			t.Errorf("no %q among %q", want, texts)
		}
	}
	if slices.Contains(texts, "echogate") {
		t.Errorf("the base has a line: %q", texts)
	}
}

func TestComparisonPlotOfNothing(t *testing.T) {
	for name, c := range map[string]*Comparison{
		"no runs":  NewComparison(time.Now(), []string{"a", "b"}),
		"the base": NewComparison(time.Now(), []string{"a"}),
	} {
		c.Add("cell", "a", &Result{Count: 1, Rate: 1})
		if err := c.WritePlot(io.Discard); !errors.Is(err, errNothingToPlot) {
			t.Errorf("%s: got %v, want %v", name, err, errNothingToPlot)
		}
	}
}
