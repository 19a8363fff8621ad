package main

import (
	"errors"
	"io/fs"
	"os"
)

// SystemSample is what the kernel holds, for all processes together.
type SystemSample struct {
	Sockets   int64    `json:"sockets"`          // of TCP, in use
	SocketMem int64    `json:"tcp_memory_bytes"` // their buffers
	Slab      int64    `json:"slab_bytes"`       // sockets, files, inodes, epoll entries
	Missing   []string `json:"missing,omitempty"`
}

// SampleSystem reads the kernel's figures, those of this network namespace.
func SampleSystem() SystemSample {
	var s SystemSample
	miss := func(what string, err error) {
		if err != nil {
			s.Missing = append(s.Missing, what+": "+reason(err))
		}
	}
	tcp, err := pairs("/proc/net/sockstat", "TCP:")
	miss("sockets", err)
	tcp6, err := pairs("/proc/net/sockstat6", "TCP6:")
	if !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		miss("sockets of IPv6", err)
	}
	s.Sockets = tcp["inuse"] + tcp6["inuse"]
	s.SocketMem = tcp["mem"] * int64(os.Getpagesize()) // both families
	slab, err := keyValues("/proc/meminfo", "Slab:")
	miss("slab", err)
	s.Slab = slab[0] * 1024
	return s
}
