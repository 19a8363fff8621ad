package main

import (
	"context"
	"math"
	"strconv"
	"strings"
)

// row is one of the gateway's limits, and the hostile client that proves it.
type row struct {
	id      string
	promise string
	size    int    // hostile clients at full size
	flags   string // of the gateway; {n} is the number of clients, {n/3} a third of it
	alone   bool   // without bystanders, who would be counted or would use the CPU
	slower  float64
	p99     Micros // of the bystanders: either so many times the quiet one, or absolute
	play    func(context.Context, *stage) error
}

// clients is how many there are at a scale.
func (r *row) clients(scale float64) int {
	return max(int(math.Round(float64(r.size)*scale)), 1)
}

// arguments are the row's flags.
func (r *row) arguments(scale float64) string {
	n := r.clients(scale)
	return strings.NewReplacer("{n}", strconv.Itoa(n), "{n/3}", strconv.Itoa(max(n/3, 1)), "{2n/3}", strconv.Itoa(max(2*n/3, 1))).Replace(r.flags)
}

// abuseRows are the limits whose promise can be measured from outside.
var abuseRows = []row{
	{id: "A1", size: 10_000, slower: 2, flags: "--max-half-open 1000000", play: drippedHeads,
		promise: "a request that drips in ends at its deadline, counted from accept"},
	{id: "A2", size: 1, play: endlessHead,
		promise: "an endless head is refused with 431 as soon as it is certain"},
	{id: "A8", size: 100, play: notHTTP,
		promise: "TLS, HTTP/2 and noise get 400 at the first byte that cannot be HTTP"},
	{id: "A9", size: 3_000, flags: "--max-half-open {n/3}", play: halfOpen,
		promise: "of too many half-open connections the oldest is cut: newcomers are served"},
	{id: "B1", size: 10_000, play: declaredLengths,
		promise: "a declared length reserves nothing; over the limit 1009, top bit 1002"},
}
