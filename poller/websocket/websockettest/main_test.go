package websockettest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A Server has no goroutine, and its tests leave none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
