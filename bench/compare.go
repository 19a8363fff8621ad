package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// compareCommand runs the same loads against several servers: round by round,
// and in each round one after the other, so that what else the machine does
// falls on all of them.
type compareCommand struct {
	Mode        string        `default:"echo" enum:"echo,idle,storm" placeholder:"MODE" help:"What to run: echo, idle or storm."`
	Peer        []Peer        `sep:"none" placeholder:"NAME=COMMAND" help:"Another server: a program that takes --listen 127.0.0.1:PORT, or a command with {port} in it. With {cert} and {key} in it, for which files of PEM are put, it is spoken to with TLS."`
	Only        []string      `placeholder:"NAME" help:"Of the servers only these."`
	Base        string        `placeholder:"NAME" help:"The server that the others are divided by. Without it the first."`
	Path        string        `default:"/echo" placeholder:"PATH" help:"What to ask the servers for."`
	Rounds      int           `default:"5" placeholder:"N" help:"Rounds; the table has their medians."`
	Connections []int         `short:"c" default:"100" placeholder:"N" help:"Connections; a list makes a row for each."`
	Size        []Size        `default:"64B" placeholder:"SIZE" help:"Payload of a message; a list makes a row for each."`
	Pipeline    []int         `default:"1" placeholder:"N" help:"Messages under way on one connection; a list makes a row for each."`
	Compression bool          `help:"Compress with permessage-deflate, without context takeover, those of the repository's servers that can."`
	TLS         bool          `name:"tls" help:"With TLS: the gateway, in the clear too, and net/http, of the repository's servers."`
	Resume      bool          `help:"TLS: resume sessions; without it every handshake is a full one."`
	Duration    time.Duration `short:"d" default:"1s" placeholder:"TIME" help:"How long to measure each time."`
	Timeout     time.Duration `default:"10s" placeholder:"TIME" help:"How long a connect, an upgrade or an echo may take."`
	Source      Sources       `placeholder:"ADDRESSES" help:"Source addresses of the connections."`
	Procs       int           `default:"1" placeholder:"N" help:"Worker processes of the client."`
	ServerCPUs  cpuSet        `name:"server-cpus" placeholder:"CPUS" help:"Cores that the server runs on, as 1 or 0,2-3."`
	ClientCPUs  cpuSet        `name:"client-cpus" placeholder:"CPUS" help:"Cores that the client runs on."`
	JSON        string        `name:"json" placeholder:"FILE" help:"Write all runs as JSON; - is standard output, without the tables."`
	Markdown    string        `placeholder:"FILE" help:"Write the tables as Markdown."`
	Plot        string        `placeholder:"FILE" help:"Draw the first table's ratios as SVG."`
}

func (c *compareCommand) check() error {
	for _, list := range []struct {
		flag   string
		values []int
	}{{"connections", c.Connections}, {"pipeline", c.Pipeline}, {"rounds", []int{c.Rounds}}, {"procs", []int{c.Procs}}} {
		if least := slices.Min(list.values); least < 1 {
			return fmt.Errorf("--%s: at least 1, not %d", list.flag, least)
		}
	}
	switch {
	case slices.Max(c.Size) > maxSize:
		return fmt.Errorf("--size: at most %v, not %v", Size(maxSize), slices.Max(c.Size))
	case c.Duration <= 0:
		return fmt.Errorf("--duration: more than 0, not %v", c.Duration)
	case c.Timeout <= 0:
		return fmt.Errorf("--timeout: more than 0, not %v", c.Timeout)
	case c.Resume && !c.TLS && !slices.ContainsFunc(c.Peer, func(p Peer) bool { return strings.Contains(p.Command, certPlace) }):
		return fmt.Errorf("--resume: there is nothing to resume without --tls, or a server with %s in its command", certPlace)
	}
	return nil
}

// cells are the loads: all combinations of what the lists name.
func (c *compareCommand) cells() []load {
	var cells []load
	for _, connections := range c.Connections {
		for _, size := range c.Size {
			for _, pipeline := range c.Pipeline {
				cells = append(cells, load{
					Mode: c.Mode, Sources: c.Source, Size: int(size), Duration: c.Duration, Timeout: c.Timeout,
					Connections: connections, InFlight: defaultInFlight, Pipeline: pipeline, Messages: -1,
					Probes: float64(connections) / 100, Compression: c.Compression,
					Insecure: true, Resume: c.Resume,
				})
			}
		}
	}
	return cells
}

// name is the row of a cell.
func (d *load) name() string {
	name := fmt.Sprintf("%s, %d × %v, pipeline %d", d.Mode, d.Connections, Size(d.Size), d.Pipeline)
	if d.Compression {
		name += ", compressed"
	}
	if d.Resume {
		name += ", resumed"
	}
	return name
}

// compare runs all rounds and writes the tables. Interrupted, it writes those
// of what was measured.
func compare(ctx context.Context, c *compareCommand, out, errOut io.Writer) error {
	if err := checkOutputs(output{"json", c.JSON}, output{"markdown", c.Markdown}, output{"plot", c.Plot}); err != nil {
		return usageError{err}
	}
	for _, d := range c.cells() {
		if err := checkDescriptors(d.total(), c.Procs); err != nil {
			return usageError{err}
		}
	}
	peers, err := c.candidates()
	if err != nil {
		return usageError{err}
	}
	dir, err := os.MkdirTemp("", "bench-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := buildPeers(ctx, peers, dir, errOut); err != nil {
		return err
	}
	if err := certify(peers, dir); err != nil {
		return err
	}
	names := make([]string, len(peers))
	for i, p := range peers {
		names[i] = p.Name
	}
	table := NewComparison(time.Now(), names)
	if c.Base != "" {
		table.Base = c.Base
	}
	err = c.rounds(ctx, peers, table, errOut)
	if len(table.Cells) == 0 {
		return err
	}
	return errors.Join(c.write(table, out), err)
}

func (c *compareCommand) rounds(ctx context.Context, peers []*Peer, table *Comparison, errOut io.Writer) error {
	for round := range c.Rounds {
		for _, d := range c.cells() {
			for _, p := range peers {
				r, err := c.once(ctx, p, d)
				if ctx.Err() != nil {
					return nil // half a run is no round
				}
				if err != nil {
					return fmt.Errorf("%s: %s: %w", p.Name, d.name(), err)
				}
				fmt.Fprintf(errOut, "round %d of %d: %s: %s: %.0f messages/s, %d errors\n", round+1, c.Rounds, d.name(), p.Name, r.Rate, r.Errors)
				table.Add(d.name(), p.Name, r)
			}
		}
	}
	return nil
}

// once measures one server under one load.
func (c *compareCommand) once(ctx context.Context, p *Peer, d load) (*Result, error) {
	command, urls, err := withPort(p.start(), []string{p.scheme() + "://127.0.0.1:" + portPlace + c.Path})
	if err != nil {
		return nil, err
	}
	if d.Servers, err = lookUpAll(ctx, urls, c.Source); err != nil {
		return nil, err
	}
	if d.Sources == nil {
		d.Sources = loopbackSources(d.total(), d.Servers)
	}
	server, err := startProgram(ctx, command, &d.Servers[0], c.ServerCPUs)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	processes, err := openProcesses([]int{server.Process.Pid}, "")
	if err != nil {
		return nil, err
	}
	m := measurement{load: d, procs: c.Procs, on: c.ClientCPUs, server: processes, interval: time.Second, show: func(Live) {}}
	return m.run(ctx)
}

func (c *compareCommand) write(table *Comparison, out io.Writer) error {
	if c.JSON == standardOutput {
		return table.WriteJSON(out)
	}
	if err := table.Write(out); err != nil {
		return err
	}
	if err := writeFile(c.JSON, table.WriteJSON); err != nil {
		return err
	}
	if err := writeFile(c.Markdown, table.WriteMarkdown); err != nil {
		return err
	}
	return writeFile(c.Plot, table.WritePlot)
}
