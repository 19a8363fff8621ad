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
		header = append(header, "kernel, all")
	}
	for _, f := range processRows {
		row, known := []string{f.name}, false
		for _, u := range usages {
			cell := f.cell(u)
			known = known || cell != ""
			row = append(row, cell)
		}
		if r.System != nil {
			cell := f.system(r.System)
			known = known || cell != ""
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
	{"CPU per message", func(u *Usage) string { return unlessZero(u.CPUPerMessage, formatMicros) }, ofNone},
	{"CPU", func(u *Usage) string { return seconds(u.Delta.CPU) }, ofNone},
	{"  user", func(u *Usage) string { return u.inTicks(u.Delta.User) }, ofNone},
	{"  system", func(u *Usage) string { return u.inTicks(u.Delta.System) }, ofNone},
	{"cores", func(u *Usage) string { return unlessZero(u.Cores, formatDigits) }, ofNone},
	{"context switches", func(u *Usage) string {
		return formatNumber(float64(u.Delta.Voluntary+u.Delta.Involuntary), tableDigits)
	}, ofNone},
	{"  per message", func(u *Usage) string { return unlessZero(u.SwitchesPerMessage, formatDigits) }, ofNone},
	{"  involuntary", func(u *Usage) string { return formatNumber(float64(u.Delta.Involuntary), tableDigits) }, ofNone},
	{"RSS", func(u *Usage) string { return bytesOf(u.End.RSS) }, ofNone},
	{"  per connection", func(u *Usage) string { return unlessZero(u.RSSPerConnection, formatBytes) }, ofNone},
	{"PSS", func(u *Usage) string { return unlessZero(float64(u.End.PSS), formatBytes) }, ofNone},
	{"  per connection", func(u *Usage) string { return unlessZero(u.PSSPerConnection, formatBytes) }, ofNone},
	{"Go heap", func(u *Usage) string { return unlessZero(float64(u.End.Heap), formatBytes) }, ofNone},
	{"  per connection", func(u *Usage) string { return unlessZero(u.HeapPerConnection, formatBytes) }, ofNone},
	{"descriptors", func(u *Usage) string { return formatNumber(float64(u.End.Descriptors), tableDigits) }, ofNone},
	{"threads", func(u *Usage) string { return formatNumber(float64(u.End.Threads), tableDigits) }, ofNone},
	{"TCP sockets", none, func(s *SystemUsage) string { return formatNumber(float64(s.End.Sockets), tableDigits) }},
	{"socket memory", none, func(s *SystemUsage) string { return bytesOf(s.End.SocketMem) }},
	{"  per connection", none, func(s *SystemUsage) string { return unlessZero(s.SocketMemPerConnection, formatBytes) }},
	{"slab", none, func(s *SystemUsage) string { return bytesOf(s.End.Slab) }},
	{"  per connection", none, func(s *SystemUsage) string { return unlessZero(s.SlabPerConnection, formatBytes) }},
}

// inTicks is a part of the CPU time, which the kernel tells in steps of userTick:
// of a few of them it would say nothing.
func (u *Usage) inTicks(part Seconds) string {
	if u.Delta.CPU < 10*userTick {
		return ""
	}
	return seconds(part)
}

func none(*Usage) string { return "" }

func ofNone(*SystemUsage) string { return "" }

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
