package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// output is a file that a flag names.
type output struct{ flag, name string }

// standardOutput is the name that stands for it.
const standardOutput = "-"

// checkOutputs fails before a run what would fail at its end.
func checkOutputs(outputs ...output) error {
	for _, o := range outputs {
		if err := o.check(); err != nil {
			return fmt.Errorf("--%s: %w", o.flag, err)
		}
	}
	return nil
}

func (o *output) check() error {
	switch {
	case o.name == "" || o.name == standardOutput && o.flag == "json":
		return nil
	case o.name == standardOutput:
		return fmt.Errorf("only --json takes %s for standard output", standardOutput)
	}
	written := o.name
	if info, err := os.Stat(o.name); err != nil {
		written = filepath.Dir(o.name) // it is to be made there
	} else if info.IsDir() {
		return fmt.Errorf("%s is a directory", o.name)
	}
	if err := unix.Access(written, unix.W_OK); err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	return nil
}

// writeFile writes a file, unless it has no name.
func writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return file.Close()
}
