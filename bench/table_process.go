package main

// processFigures is what the server and the client used, side by side, and
// what the kernel held for both.
func processFigures(r *Result) (header []string, rows [][]string) {
	header = []string{""}
	var usages []*Usage
	if r.Server != nil {
		header, usages = append(header, "server"), append(usages, r.Server)
	}
	if r.Client != nil {
		header, usages = append(header, "client"), append(usages, r.Client)
	}
	if r.System != nil {
		header = append(header, "kernel")
	}
	for _, f := range processRows {
		row, known := []string{f.name}, false
		for _, u := range usages {
			cell := f.cell(u)
			known = known || cell != ""
			row = append(row, cell)
		}
		if r.System != nil {
			cell := ""
			if f.system != nil {
				cell, known = f.system(r.System), true
			}
			row = append(row, cell)
		}
		if known {
			rows = append(rows, row)
		}
	}
	return header, rows
}

// processRow is one figure of a process, and of the kernel if it has it too. A
// cell is empty when the figure was not read.
type processRow struct {
	name   string
	cell   func(*Usage) string
	system func(*SystemUsage) string
}

var processRows = []processRow{
	{"CPU per message", func(u *Usage) string { return unlessZero(u.CPUPerMessage, formatMicros) }, nil},
	{"CPU", func(u *Usage) string { return seconds(u.Delta.CPU) }, nil},
	{"  user", func(u *Usage) string { return seconds(u.Delta.User) }, nil},
	{"  system", func(u *Usage) string { return seconds(u.Delta.System) }, nil},
	{"cores", func(u *Usage) string { return formatDigits(u.Cores, tableDigits) }, nil},
	{"switches per message", func(u *Usage) string { return unlessZero(u.SwitchesPerMessage, formatDigits) }, nil},
	{"  involuntary", func(u *Usage) string { return formatNumber(float64(u.Delta.Involuntary), tableDigits) }, nil},
	{"RSS", func(u *Usage) string { return bytesOf(u.End.RSS) }, nil},
	{"  per connection", func(u *Usage) string { return unlessZero(u.RSSPerConnection, formatBytes) }, nil},
	{"PSS", func(u *Usage) string { return unlessZero(float64(u.End.PSS), formatBytes) }, nil},
	{"  per connection", func(u *Usage) string { return unlessZero(u.PSSPerConnection, formatBytes) }, nil},
	{"Go heap", func(u *Usage) string { return unlessZero(float64(u.End.Heap), formatBytes) }, nil},
	{"  per connection", func(u *Usage) string { return unlessZero(u.HeapPerConnection, formatBytes) }, nil},
	{"descriptors", func(u *Usage) string { return formatNumber(float64(u.End.Descriptors), tableDigits) }, nil},
	{"threads", func(u *Usage) string { return formatNumber(float64(u.End.Threads), tableDigits) }, nil},
	{"TCP sockets", none, func(s *SystemUsage) string { return formatNumber(float64(s.End.Sockets), tableDigits) }},
	{"socket memory", none, func(s *SystemUsage) string { return bytesOf(s.End.SocketMem) }},
	{"  per connection", none, func(s *SystemUsage) string { return formatBytes(s.SocketMemPerConnection, tableDigits) }},
	{"slab", none, func(s *SystemUsage) string { return bytesOf(s.End.Slab) }},
	{"  per connection", none, func(s *SystemUsage) string { return formatBytes(s.SlabPerConnection, tableDigits) }},
}

func none(*Usage) string { return "" }

// unlessZero writes v, or nothing: what was not measured is 0.
func unlessZero(v float64, format func(float64, int) string) string {
	if v == 0 {
		return ""
	}
	return format(v, tableDigits)
}

func bytesOf(n int64) string { return formatBytes(float64(n), tableDigits) }

func seconds(s Seconds) string {
	return formatMicros(micros(Micros(s)), tableDigits)
}
