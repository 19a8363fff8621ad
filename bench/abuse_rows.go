package main

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"
)

// row is one of the gateway's limits, and the hostile client that proves it.
type row struct {
	id      string
	promise string
	size    int     // hostile clients at full size
	flags   string  // of the gateway; {n} is the number of clients, {n/2} half of it
	alone   bool    // without bystanders, who would be counted or would use the CPU
	slower  float64 // bystanders' p99 is less than so many times the quiet one
	p99     Micros  // or less than this
	most    int     // connections at a time for each client, when there are more than one
	few     bool    // the size counts frames or connects, not connections at a time
	play    func(context.Context, *stage) error
}

// fewest is how many clients there are at the smallest scale, if the full size
// has them: enough to see some served and some refused.
const fewest = 20

// clients is how many there are at a scale.
func (r *row) clients(scale float64) int {
	return max(int(math.Round(float64(r.size)*scale)), min(r.size, fewest))
}

// connections is how many it opens at a time.
func (r *row) connections(scale float64) int {
	if r.few {
		return atATime
	}
	return r.clients(scale) * max(r.most, 1)
}

// arguments are the row's flags.
func (r *row) arguments(scale float64) string {
	n := r.clients(scale)
	return strings.NewReplacer("{n}", strconv.Itoa(n), "{n/2}", strconv.Itoa(n/2), "{n/3}", strconv.Itoa(max(n/3, 1)), "{2n/3}", strconv.Itoa(max(2*n/3, 1))).Replace(r.flags)
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
	{id: "B2", size: 100, play: endlessMessages,
		promise: "a message without end is ended 1009 by the sum of its fragments"},
	{id: "B3", size: 1_000_000, slower: 2, flags: "--max-fragments 0", few: true, play: emptyFragments,
		promise: "empty fragments cost no memory"},
	{id: "B3", size: 1, play: tooManyFragments,
		promise: "the number of a message's fragments is bounded"},
	{id: "B6", size: 1, play: pingBudget,
		promise: "control frames have a budget"},
	{id: "B6", size: 1, flags: "--max-control-rate 0", play: unreadPongs,
		promise: "pongs pass the same output limits as all else"},
	{id: "B7", size: 1, p99: Micros(10 * time.Millisecond), play: firehose,
		promise: "one connection's tiny frames let the others go first after each read"},
	{id: "B8", size: 100, flags: "--message-timeout 5s", play: drippedMessages,
		promise: "a message that drips in is ended 1008 at its deadline"},
	{id: "C1", size: 1_000, flags: "--max-buffered 0 --stall-timeout 0", play: unreadEchoes,
		promise: "who does not read is not read: memory is bounded, nothing is lost"},
	{id: "C2", size: 1_000, flags: "--max-buffered 0", play: stalledReaders,
		promise: "a reader that stops is cut after the stall time"},
	{id: "C3", size: 1_000, play: pushes,
		promise: "who does not take what is pushed keeps nobody waiting"},
	{id: "C4", size: 4_000, play: unfinishedMessages,
		promise: "all partial messages and backlogs together have a bound"},
	{id: "C5", size: 1_000, most: 4, play: afterBursts,
		promise: "a burst leaves nothing behind"},
	{id: "D1", size: 100, flags: "--ping-interval 2s --idle-timeout 5s", alone: true, play: unansweredPings,
		promise: "who answers no ping is ended 1008 after the idle time; who answers stays"},
	{id: "D3", size: 100, flags: "--max-lifetime 3s", alone: true, play: unansweredCloses,
		promise: "a close frame that nobody answers: TCP ends at the deadline"},
	{id: "D4", size: 100, play: floodAfterFailure,
		promise: "the close frame reaches a peer in mid-flood, which is cut soon after"},
	{id: "D5", size: 500, alone: true, play: halfClosed,
		promise: "half-closed and reset connections end: no spinning, descriptors back"},
	{id: "E1", size: 200, alone: true, play: outOfDescriptors,
		promise: "without descriptors accepting pauses, and comes back by itself"},
	{id: "E2", size: 1_500, flags: "--max-connections {2n/3}", alone: true, play: moreThanPlaces,
		promise: "above the cap 503; freed places are usable"},
	{id: "E4", size: 20, flags: "--max-per-address {n/2}", alone: true, play: oneAddress,
		promise: "above the cap of an address 429; other addresses are served"},
	{id: "E5", size: 2_000, slower: 2, few: true, play: acceptStorm,
		promise: "a storm of connects does not slow the others"},
	{id: "F1", size: 1_000, most: 2, play: failingHandlers,
		promise: "a handler that fails costs its connection, and nobody else"},
	{id: "G1", size: 10_000, alone: true, play: drained,
		promise: "SIGTERM: 1001 to everybody, spread; no echo taken is lost; exit 0"},
	{id: "G4", size: 2_000, flags: "--drain 200ms", alone: true, few: true, play: takeOvers,
		promise: "across take-overs no connect is refused, reset or lost"},
	{id: "H1", size: 100_000, flags: "--log-level debug", alone: true, few: true, play: refusedInTheLog,
		promise: "a flood of refused requests is not one of log lines"},
	{id: "T1", size: 5_000, slower: 2, flags: selfSigned + " --max-half-open 1000000", play: halfOpenTLS,
		promise: "a handshake of TLS ends at the deadline of the request, counted from accept"},
	{id: "T2", size: 500, slower: 2, flags: selfSigned, few: true, play: helloStorm,
		promise: "signatures keep no loop: a storm of handshakes does not slow the others"},
	{id: "T2", size: 3_000, flags: selfSigned + " --max-half-open 1000000", play: helloBurst,
		promise: "above a queue of handshakes newcomers are cut, and who waits is served"},
	{id: "T3", size: 100, flags: selfSigned, play: badTLS,
		promise: "what is not TLS, too old or broken is told so, and ended"},
	{id: "T4", size: 100, few: true, play: bombs,
		promise: "a compressed message is held against the limit while it is inflated"},
	{id: "T5", size: 100, few: true, play: brokenStreams,
		promise: "a compressed message that does not inflate is ended 1007"},
}
