package websocket

import (
	"testing"

	"go.uber.org/goleak"
)

// The protocol has no goroutine, and its tests leave none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
