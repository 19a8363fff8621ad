package checks

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestImageKeepsItsMemory: 4,000 connections that have all but the last byte of a
// message of 1 MiB, inside 128 MiB (row C6): all but a few are ended with 1013,
// and the kernel ends nobody.
func TestImageKeepsItsMemory(t *testing.T) {
	const clients = 4000
	n := newNetwork(t)
	c := n.run(t)
	bystander := n.serving(t)
	head := unfinished(1<<20, 1<<20-1)
	for range clients {
		one := mustConnect(t, n.dial, publicAddr)
		_ = one.SetWriteDeadline(time.Now().Add(patience))
		// One that has been ended meanwhile resets what is still on its way.
		_, _ = one.Write(head)
	}
	if err := bystander.echo("still here"); err != nil {
		t.Error(err)
	}
	s := c.state(t)
	if !s.Running || s.OOMKilled {
		t.Fatalf("running %v, ended for its memory %v: want a gateway that goes on", s.Running, s.OOMKilled)
	}
	// Its bound is a quarter of the 128 MiB: of 4,000 messages it can hold 32.
	const bound = 32 << 20
	ended, buffered := n.metric(t, `echogate_connections_closed_total{reason="memory"}`), n.metric(t, "echogate_buffered_bytes")
	t.Logf("%.0f of %d ended with 1013, %.1f MiB in buffers, %.1f MiB resident", ended, clients,
		buffered/(1<<20), n.metric(t, "process_resident_memory_bytes")/(1<<20))
	if limit := n.metric(t, "echogate_buffered_limit_bytes"); limit != bound || buffered > bound {
		t.Errorf("%.0f bytes in buffers, and a bound of %.0f; want %d at most", buffered, limit, bound)
	}
	if ended < clients/2 {
		t.Errorf("%.0f of %d were ended for their memory, want nearly all", ended, clients)
	}
}

// metric is the value of a series on the admin port.
func (n network) metric(t *testing.T, series string) float64 {
	t.Helper()
	_, text := get(t, n.dial, adminAddr, "/metrics")
	_, rest, ok := strings.Cut(text, "\n"+series+" ")
	line, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(line, 64)
	if !ok || err != nil {
		t.Fatalf("no series %s: %v", series, err)
	}
	return v
}

// unfinished is a masked binary frame of length bytes that ends after sent ones.
func unfinished(length, sent int) []byte {
	var b bytes.Buffer
	_ = ws.WriteHeader(&b, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: int64(length)})
	b.Write(make([]byte, sent))
	return b.Bytes()
}
