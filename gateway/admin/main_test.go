package admin

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(asCrowd); text != "" {
		os.Exit(beCrowd(text))
	}
	goleak.VerifyTestMain(m)
}
