package main

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryLimit is what the container, or whatever control group this process is
// in, may have of memory (memory.max, or memory.limit_in_bytes of version 1, of
// the nearest group that has a limit); 0: as much as there is.
func memoryLimit(log *slog.Logger) int64 {
	limit, err := memlimit.FromCgroup()
	switch {
	case err == nil && limit < 1<<62:
		return int64(limit)
	case err != nil && !errors.Is(err, memlimit.ErrNoLimit) && !errors.Is(err, memlimit.ErrNoCgroup):
		log.Warn("the memory limit of this control group is not known", "err", err)
	}
	return 0
}

// maxBuffered is the bound of all buffers: as it was given, else a quarter of the
// memory limit, else the default.
func (c *Config) maxBuffered(limit int64) int64 {
	if _, given := c.origins["max-buffered"]; !given && limit > 0 {
		return limit / 4
	}
	return int64(c.MaxBuffered)
}

// heapLimit is what Go may have of a memory limit. A tenth is left for what it
// does not count: stacks of the kernel, pages of files, sockets. The buffers lie
// outside of its heap. However large they may become, it gets half: with less it
// would do nothing but collect. In whole MiB, for the log.
func heapLimit(limit, buffered int64) int64 {
	return max(limit/10*9-buffered, limit/2) >> 20 << 20
}

// boundHeap sets the collector's limit, unless GOMEMLIMIT does.
func (g *gateway) boundHeap() {
	if _, set := g.env("GOMEMLIMIT"); set {
		return
	}
	limit := int64(math.MaxInt64)
	if g.config.memory > 0 {
		limit = heapLimit(g.config.memory, g.Config().MaxBuffered)
	}
	debug.SetMemoryLimit(limit)
}

// limitText is a limit in the log.
func limitText(n int64) string {
	if n == 0 || n == math.MaxInt64 {
		return "none"
	}
	return Size(n).String()
}
