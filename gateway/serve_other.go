//go:build !linux

package main

import (
	"fmt"
	"io"
)

// serve says why it cannot.
func serve(_ *Config, _ func() (*Config, error), _ func(string) (string, bool), errOut io.Writer) int {
	fmt.Fprint(errOut, `echogate: Linux only: its event loops are epoll. Elsewhere it runs in a container:
  docker build -t echogate .
  docker run --rm -p 9998:9998 echogate
`)
	return exitFailed
}
