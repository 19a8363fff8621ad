package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Peer is a server to be compared.
type Peer struct {
	Name    string
	Command string
	dir     string // of its package, if it is to be built
	flags   string // that it gets beside its address then
	secure  bool   // it speaks TLS
}

// UnmarshalText reads NAME=COMMAND.
func (p *Peer) UnmarshalText(text []byte) error {
	name, command, ok := strings.Cut(string(text), "=")
	if !ok || name == "" || command == "" {
		return fmt.Errorf("%q: accepted is NAME=COMMAND", text)
	}
	*p = Peer{Name: name, Command: command}
	return nil
}

// start is the command that starts the peer. A program without a place for its
// port takes it as all the servers of bench/peers do.
func (p *Peer) start() string {
	if strings.Contains(p.Command, portPlace) {
		return p.Command
	}
	return p.Command + " --listen 127.0.0.1:" + portPlace
}

// gatewayName is the gateway in the tables, and its directory.
const gatewayName = "gateway"

// adminOff lets several gateways run on one machine: its admin port has an
// address by default, which is there once.
const adminOff = " --admin off"

// compressing are the servers of the repository that can compress without context
// takeover, and the flags that make them.
var compressing = map[string]string{gatewayName: " --compression on", "gws": " --compression"}

// candidates are the servers to compare: those of the repository, if this is
// its top directory, and those that were named.
func (c *compareCommand) candidates() ([]*Peer, error) {
	peers, err := repositoryPeers()
	if err != nil {
		return nil, err
	}
	peers = c.fit(peers)
	for i := range c.Peer {
		peers = append(peers, &c.Peer[i])
	}
	var names []string
	for _, p := range peers {
		if slices.Contains(names, p.Name) {
			return nil, fmt.Errorf("--peer: there is another server called %q", p.Name)
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("--peer: needed elsewhere than in the top directory of the repository, whose servers are there without it")
	}
	for _, name := range c.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--only: there is no server %q, but %s", name, strings.Join(names, ", "))
		}
	}
	if len(c.Only) > 0 {
		peers = slices.DeleteFunc(peers, func(p *Peer) bool { return !slices.Contains(c.Only, p.Name) })
	}
	if c.Base != "" && !slices.ContainsFunc(peers, func(p *Peer) bool { return p.Name == c.Base }) {
		return nil, fmt.Errorf("--base: there is no server %q among those that are compared", c.Base)
	}
	return peers, nil
}

// fit leaves those of the repository's servers that can do what is compared, and
// gives them the flags for it.
func (c *compareCommand) fit(peers []*Peer) []*Peer {
	if c.Compression {
		peers = slices.DeleteFunc(peers, func(p *Peer) bool { return compressing[p.Name] == "" })
		for _, p := range peers {
			p.flags += compressing[p.Name]
		}
	}
	if c.TLS {
		return secure(peers)
	}
	return slices.DeleteFunc(peers, func(p *Peer) bool { return p.Name == httpsName })
}

// repositoryPeers are the gateway and the servers of bench/peers; none
// elsewhere than in the top directory of the repository.
func repositoryPeers() ([]*Peer, error) {
	mains, err := filepath.Glob("bench/peers/*/main.go")
	if err != nil || len(mains) == 0 {
		return nil, err
	}
	peers := []*Peer{{Name: gatewayName, dir: gatewayName, flags: adminOff}}
	for _, file := range mains {
		dir := filepath.Dir(file)
		peers = append(peers, &Peer{Name: filepath.Base(dir), dir: dir})
	}
	return peers, nil
}

// buildPeers builds what is to be built.
func buildPeers(ctx context.Context, peers []*Peer, into string, errOut io.Writer) error {
	for _, p := range peers {
		if p.dir == "" {
			continue
		}
		fmt.Fprintf(errOut, "building %s\n", p.Name)
		file := filepath.Join(into, p.Name)
		p.Command = file + p.flags
		// In its own directory: that the module is a nested one does not matter.
		build := exec.CommandContext(ctx, "go", "build", "-o", file, ".")
		build.Dir = p.dir
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", p.dir, err, text)
		}
	}
	return nil
}
