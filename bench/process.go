package main

// Sample is what one process, or several together, used up to now and hold
// now. A figure that could not be read is 0.
type Sample struct {
	CPU         Seconds `json:"cpu_s"` // user and system, to the nanosecond
	User        Seconds `json:"user_s"`
	System      Seconds `json:"system_s"`
	RSS         int64   `json:"rss_bytes"`
	PSS         int64   `json:"pss_bytes,omitempty"`
	Heap        int64   `json:"heap_bytes,omitempty"` // of Go, when /metrics answers
	Descriptors int64   `json:"descriptors"`
	Threads     int64   `json:"threads"`
	Voluntary   int64   `json:"voluntary_switches"`
	Involuntary int64   `json:"involuntary_switches"`
}

// Usage is what a process used during a run, and what it held at its end more
// than at its begin.
type Usage struct {
	Start Sample `json:"start"`
	End   Sample `json:"end"`
	Delta Sample `json:"delta"`

	Cores             float64 `json:"cores"` // CPU time per time
	CPUPerMessage     float64 `json:"cpu_us_per_message"`
	RSSPerConnection  float64 `json:"rss_bytes_per_connection"`
	PSSPerConnection  float64 `json:"pss_bytes_per_connection,omitempty"`
	HeapPerConnection float64 `json:"heap_bytes_per_connection,omitempty"`

	Missing []string `json:"missing,omitempty"` // what could not be read, and why
}

// SystemSample is what the kernel holds for everybody.
type SystemSample struct {
	Sockets   int64 `json:"sockets"`          // TCP, in use
	SocketMem int64 `json:"tcp_memory_bytes"` // their buffers
	Slab      int64 `json:"slab_bytes"`       // sockets, files, inodes, epoll entries
}

// SystemUsage is how that changed during a run.
type SystemUsage struct {
	Start SystemSample `json:"start"`
	End   SystemSample `json:"end"`
	Delta SystemSample `json:"delta"`

	SocketMemPerConnection float64  `json:"tcp_memory_bytes_per_connection"`
	SlabPerConnection      float64  `json:"slab_bytes_per_connection"`
	Missing                []string `json:"missing,omitempty"`
}
