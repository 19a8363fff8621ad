package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// gatewayFlags are the server that hostile clients are let loose on.
type gatewayFlags struct {
	Gateway string `placeholder:"FILE" help:"The gateway's program. Without it and --exec it is built from this repository."`
	Exec    string `placeholder:"COMMAND" help:"How to start the server. {port} is replaced by a free port."`
}

func (f *gatewayFlags) check() error {
	switch {
	case f.Exec != "" && f.Gateway != "":
		return fmt.Errorf("--exec and --gateway: only one of them")
	case f.Exec != "" && !strings.Contains(f.Exec, portPlace):
		return fmt.Errorf("--exec: %s is needed in it", portPlace)
	}
	return nil
}

// command is how to start the server, with the flag admin if it is the gateway;
// more flags may follow it. remove takes away what was built for it.
func (f *gatewayFlags) command(ctx context.Context, admin string, errOut io.Writer) (command string, remove func(), err error) {
	flags := admin + " --log-level error --listen 127.0.0.1:" + portPlace
	remove = func() {}
	if f.Exec != "" {
		return f.Exec, remove, nil
	}
	if f.Gateway != "" {
		return f.Gateway + flags, remove, nil
	}
	dir, err := os.MkdirTemp("", "bench-gateway-")
	if err != nil {
		return "", remove, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file := filepath.Join(dir, gatewayName)
	fmt.Fprintf(errOut, "building %s\n", gatewayName)
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", file, "./"+gatewayName).CombinedOutput(); err != nil {
		return "", remove, fmt.Errorf("--gateway: needed elsewhere than in the top directory of the repository: go build: %w\n%s", err, text)
	}
	return file + flags, remove, nil
}
