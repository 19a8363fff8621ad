package main

import (
	"context"
	"slices"
	"time"
)

// soakPhase is when a sample was taken.
type soakPhase string

const (
	phaseBefore soakPhase = "before" // the first client
	phaseWarm   soakPhase = "warm"   // the load is on, and does not count yet
	phaseLoad   soakPhase = "load"
	phaseAfter  soakPhase = "after" // the last client
)

// SoakSample is what the server holds at one moment.
type SoakSample struct {
	Since Seconds   `json:"since_s"` // the run began
	Phase soakPhase `json:"phase"`
	Sample
	Sockets int64 `json:"sockets"` // of its descriptors
}

// soakWatch reads the server's figures. It belongs to one goroutine.
type soakWatch struct {
	process *Process
	started time.Time
	samples []SoakSample
}

// look reads them once. Of the samples after the load the last is kept: it is
// the one that counts.
func (w *soakWatch) look(ctx context.Context, phase soakPhase) error {
	// The sockets first: reading the metrics takes one.
	sockets, err := w.process.sockets()
	if err != nil {
		return err
	}
	s, err := w.process.Sample(ctx)
	if err != nil {
		return err
	}
	last := len(w.samples) - 1
	if phase == phaseAfter && w.samples[last].Phase == phaseAfter {
		w.samples = w.samples[:last]
	}
	w.samples = append(w.samples, SoakSample{Seconds(s.At.Sub(w.started)), phase, s, sockets})
	return nil
}

// watch looks every so often until the time of the run is over.
func (w *soakWatch) watch(ctx context.Context, c *soakCommand) error {
	every := time.NewTicker(c.Every)
	defer every.Stop()
	begun := time.Now()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
		phase, since := phaseLoad, time.Since(begun)
		if since < c.Warm {
			phase = phaseWarm
		}
		if since > c.Warm+c.Duration {
			return nil
		}
		// Not with ctx: interrupted, the figure at hand is still wanted.
		if err := w.look(context.Background(), phase); err != nil {
			return err
		}
	}
}

// of are the samples of a phase.
func of(samples []SoakSample, phase soakPhase) []SoakSample {
	return slices.DeleteFunc(slices.Clone(samples), func(s SoakSample) bool { return s.Phase != phase })
}
