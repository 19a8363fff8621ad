package poller

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asServer makes the test binary be a server process (process_test.go).
const asServer = "ECHOGATE_TEST_BE_THE_SERVER"

// TestMain fails when the tests leave a goroutine or a descriptor behind.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), testLoops+1)) // loops doze only beside a processor to spare
	if os.Getenv(asServer) != "" {
		os.Exit(serveProcess())
	}
	// Go's own poller opens its descriptors with the first socket and keeps them.
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
	}
	before := openDescriptors()
	code := m.Run()
	if code == 0 {
		code = leftBehind(before)
	}
	os.Exit(code)
}

// leftBehind waits for what ends a moment after the tests, and reports the rest.
func leftBehind(before int) int {
	if err := goleak.Find(); err != nil {
		fmt.Fprintf(os.Stderr, "goroutines leaked: %v\n", err)
		return 1
	}
	now := openDescriptors()
	for deadline := time.Now().Add(patience); now > before && time.Now().Before(deadline); {
		<-time.After(poll)
		now = openDescriptors()
	}
	if now > before {
		fmt.Fprintf(os.Stderr, "descriptors leaked: %d before the tests, %d after\n", before, now)
		return 1
	}
	return 0
}

// openDescriptors counts the descriptors of this process, the one that reads
// the list among them.
func openDescriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(list)
}
