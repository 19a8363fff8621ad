package main

import (
	"context"
	"errors"
	"os"
	"time"
)

// measurement is one run of a load and what is watched meanwhile.
type measurement struct {
	load     load
	procs    int // worker processes; 0: the loop runs in this one
	on       cpuSet
	server   []*Process
	interval time.Duration
	show     func(Live) // once every interval

	started   time.Time
	collector *Collector
	lanes     []*lane
	reports   chan report
	at        [phaseOver + 1]int // loops that have come to a phase
	opened    []bool             // loops whose connections are in open
	open      int                // connections when measuring began, or when the run ended before
	notes     []string
	failed    error

	watched []*watched // the server and the client
	system  [2]SystemSample
}

// watched is some processes together at the three moments of a Usage.
type watched struct {
	processes []*Process
	samples   []Sample
}

func (w *watched) sample(ctx context.Context) {
	var sum Sample
	for _, p := range w.processes {
		s, err := p.Sample(ctx)
		if err != nil {
			s = Sample{At: time.Now(), Missing: []string{err.Error()}}
		}
		sum.Add(s)
	}
	w.samples = append(w.samples, sum)
}

// usage is nil without processes.
func (w *watched) usage(connections, messages int64) *Usage {
	if len(w.processes) == 0 {
		return nil
	}
	return NewUsage(w.samples[0], w.samples[1], w.samples[2], connections, messages)
}

// reportsHeld is how many reports wait before a loop has to.
const reportsHeld = 64

// run measures. It ends early, with what was measured so far, when ctx does.
func (m *measurement) run(ctx context.Context) (*Result, error) {
	m.started = time.Now()
	m.collector = NewCollector(m.started, m.interval)
	m.reports = make(chan report, reportsHeld)
	m.opened = make([]bool, max(m.procs, 1))
	if err := m.startLanes(); err != nil {
		m.endLanes()
		return nil, err
	}
	m.watched = []*watched{{processes: m.server}, {processes: m.clients()}}
	m.sample()
	m.system[0] = SampleSystem()
	m.tell(commandOpen)
	m.follow(ctx)
	m.endLanes()
	if m.failed != nil {
		return nil, m.failed
	}
	return m.result(), nil
}

func (m *measurement) startLanes() error {
	of := max(m.procs, 1)
	for i := range of {
		s := m.load.share(i, of)
		s.Started, s.Interval = m.started, m.interval
		if m.procs == 0 {
			m.lanes = append(m.lanes, startHere(s, m.reports))
			continue
		}
		c, err := startProcess(s, m.reports, m.on)
		if err != nil {
			return err
		}
		m.lanes = append(m.lanes, c)
	}
	return nil
}

// endLanes waits for all loops, which end at once if they have not yet.
func (m *measurement) endLanes() {
	for _, c := range m.lanes {
		close(c.commands)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, c := range m.lanes {
			c.wait()
		}
	}()
	for {
		select {
		case <-m.reports: // nobody may wait for us to take them
		case <-ended:
			return
		}
	}
}

// clients are this process and its workers. A process that has ended already
// has no figures.
func (m *measurement) clients() []*Process {
	pids := []int{os.Getpid()}
	for _, c := range m.lanes {
		if c.pid != pids[0] {
			pids = append(pids, c.pid)
		}
	}
	var processes []*Process
	for _, pid := range pids {
		if p, err := OpenProcess(pid, ""); err == nil {
			processes = append(processes, p)
		}
	}
	return processes
}

// follow takes reports until every loop has sent its last.
func (m *measurement) follow(ctx context.Context) {
	every := time.NewTicker(m.interval)
	defer every.Stop()
	stop := ctx.Done()
	for ended := 0; ended < len(m.lanes) && m.failed == nil; {
		select {
		case r := <-m.reports:
			m.take(&r)
			if r.last() {
				ended++
			}
		case now := <-every.C:
			m.sampleRSS(now)
			m.show(m.collector.Live())
		case <-stop:
			stop = nil
			m.tell(commandStop)
		}
	}
}

func (m *measurement) take(r *report) {
	switch {
	case r.Failed != "":
		m.failed = errors.New(r.Failed)
	case r.Interval != nil:
		m.collector.Add(r.Interval)
	default:
		m.notes = append(m.notes, r.Notes...)
		m.reached(r)
	}
}

// reached counts the loops in a phase. When all are there, so is the run.
func (m *measurement) reached(r *report) {
	if !m.opened[r.Worker] { // phaseReady, or phaseDrain of one that was stopped before
		m.opened[r.Worker] = true
		m.open += r.Open
	}
	if m.at[r.Phase]++; m.at[r.Phase] < len(m.lanes) {
		return
	}
	switch r.Phase {
	case phaseReady:
		m.sample()
		m.tell(commandGo)
	case phaseDrain:
		m.system[1] = SampleSystem()
		m.sample()
		if m.at[phaseReady] < len(m.lanes) { // nothing was measured: the end is the start too
			m.sampleAgain()
		}
	case phaseKeep:
		m.tell(commandFinish)
	}
}

func (m *measurement) tell(c command) {
	for _, lane := range m.lanes {
		lane.commands <- c
	}
}

func (m *measurement) sample() {
	for _, w := range m.watched {
		w.sample(context.Background())
	}
}

// sampleAgain takes the last samples for the next ones too.
func (m *measurement) sampleAgain() {
	for _, w := range m.watched {
		w.samples = append(w.samples, w.samples[len(w.samples)-1])
	}
}

func (m *measurement) sampleRSS(now time.Time) {
	var sum int64
	for _, p := range m.server {
		if rss, err := p.RSS(); err == nil {
			sum += rss
		}
	}
	if sum > 0 {
		m.collector.AddRSS(now, sum)
	}
}

// result puts together what was asked for and what was measured.
func (m *measurement) result() *Result {
	d := &m.load
	r := &Result{
		Mode: d.Mode, URL: d.urls(), Processes: len(m.lanes),
		Connections: d.Connections, Size: d.Size, Pipeline: d.Pipeline, TargetRate: d.Rate, Notes: m.notes,
	}
	m.collector.Finish(r)
	r.Server = m.watched[0].usage(int64(m.open), r.Count)
	r.Client = m.watched[1].usage(int64(m.open), r.Count)
	r.System = NewSystemUsage(m.system[0], m.system[1], int64(m.open))
	return r
}
