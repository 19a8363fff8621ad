package main

import "time"

// Usage is what a process used while the run measured, and what it held more
// at the end, while the connections were open, than before the first of them.
type Usage struct {
	Before Sample `json:"before"` // the first connection
	Start  Sample `json:"start"`  // of measuring
	End    Sample `json:"end"`    // while the connections are still open

	// Delta is End less Start in what adds up (CPU time, context switches), and
	// End less Before in what is held (memory, descriptors, threads).
	Delta Sample `json:"delta"`

	// What the run cannot tell is 0 and left out of the JSON.
	Cores              float64 `json:"cores,omitempty"` // CPU time per time
	CPUPerMessage      float64 `json:"cpu_us_per_message,omitempty"`
	SwitchesPerMessage float64 `json:"switches_per_message,omitempty"`
	RSSPerConnection   float64 `json:"rss_bytes_per_connection,omitempty"`
	PSSPerConnection   float64 `json:"pss_bytes_per_connection,omitempty"`
	HeapPerConnection  float64 `json:"heap_bytes_per_connection,omitempty"`
}

// minConnections is how many connections it takes to tell what one costs: of
// fewer the growth of a process is that of its pools and its runtime.
const minConnections = 1000

// NewUsage compares three samples of the same processes. connections is how
// many were opened between before and end, messages how many echoes were
// counted between start and end. CPU per message needs as many messages as
// connections: with fewer, what the process did was something else.
func NewUsage(before, start, end Sample, connections, messages int64) *Usage {
	u := &Usage{Before: before, Start: start, End: end}
	d := &u.Delta
	d.RSS, d.Descriptors, d.Threads = growth(before.RSS, end.RSS), end.Descriptors-before.Descriptors, end.Threads-before.Threads
	d.PSS, d.Heap = growth(before.PSS, end.PSS), growth(before.Heap, end.Heap)
	if connections >= minConnections {
		u.RSSPerConnection = ratio(d.RSS, connections)
		u.PSSPerConnection = ratio(d.PSS, connections)
		u.HeapPerConnection = ratio(d.Heap, connections)
	}
	if end.CPU < start.CPU {
		return u // the process has ended, or one of several
	}
	d.CPU, d.User, d.System = end.CPU-start.CPU, end.User-start.User, end.System-start.System
	d.Voluntary, d.Involuntary = end.Voluntary-start.Voluntary, end.Involuntary-start.Involuntary
	if elapsed := end.At.Sub(start.At); elapsed > 0 {
		u.Cores = float64(d.CPU) / float64(elapsed)
	}
	if messages >= connections {
		u.CPUPerMessage = ratio(int64(d.CPU), messages) / float64(time.Microsecond)
		u.SwitchesPerMessage = ratio(d.Voluntary+d.Involuntary, messages)
	}
	return u
}

// growth is that of a figure which both samples have.
func growth(before, end int64) int64 {
	if before == 0 || end == 0 {
		return 0
	}
	return end - before
}

// Add adds the figures of another process, of the same moment.
func (s *Sample) Add(o Sample) {
	s.At = o.At
	s.CPU += o.CPU
	s.User += o.User
	s.System += o.System
	s.RSS += o.RSS
	s.PSS += o.PSS
	s.Heap += o.Heap
	s.Goroutines += o.Goroutines
	s.Descriptors += o.Descriptors
	s.Threads += o.Threads
	s.Voluntary += o.Voluntary
	s.Involuntary += o.Involuntary
	s.Missing = append(s.Missing, o.Missing...)
}

// SystemUsage is what the kernel held more at the end, while the connections
// were open, than before the first of them.
type SystemUsage struct {
	Before SystemSample `json:"before"`
	End    SystemSample `json:"end"`
	Delta  SystemSample `json:"delta"`

	SocketMemPerConnection float64 `json:"tcp_memory_bytes_per_connection,omitempty"`
	SlabPerConnection      float64 `json:"slab_bytes_per_connection,omitempty"`
}

// NewSystemUsage compares two samples. Both ends of a connection over loopback
// are in it: per connection there are two sockets.
func NewSystemUsage(before, end SystemSample, connections int64) *SystemUsage {
	u := &SystemUsage{Before: before, End: end}
	d := &u.Delta
	d.Sockets = end.Sockets - before.Sockets
	d.SocketMem = end.SocketMem - before.SocketMem
	d.Slab = end.Slab - before.Slab
	if connections >= minConnections {
		u.SocketMemPerConnection = ratio(d.SocketMem, connections)
		u.SlabPerConnection = ratio(d.Slab, connections)
	}
	return u
}
