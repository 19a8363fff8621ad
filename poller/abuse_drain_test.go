package poller

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// TestDrainCode: connections are sent away with the code that the configuration
// has when the drain begins.
func TestDrainCode(t *testing.T) {
	for code, want := range map[ws.StatusCode]ws.StatusCode{0: 1001, 1001: 1001, 1012: 1012} {
		s := start(t, echoTable, func(c *Config) { c.DrainCode = code })
		c := s.dial("/echo")
		s.stop()
		c.wantClose(want)
		c.finish(want)
	}
	c := Config{DrainCode: 1000}
	if err := c.Validate(); !strings.Contains(err.Error(), "drain code: 1000 is neither 1001 nor 1012") {
		t.Errorf("a code that says nothing of leaving: got %v", err)
	}
}
