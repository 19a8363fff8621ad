package fault

import "sync/atomic"

// Kind is the label under which a fault given is counted. The list is closed.
type Kind uint8

// The kinds, in the order of the grammar.
const (
	KindDelay Kind = iota
	KindJitter
	KindRate
	KindDrop
	KindDup
	KindReorder
	KindCorrupt
	KindTruncate
	KindFragment
	KindClose
	KindRST
	KindFIN
	KindHalfClose
	KindStall
	KindMutePong
	KindMuteClose
	KindUnasked
	KindStatus
	KindHandshakeDelay
	Kinds // how many there are
)

var kindLabels = [Kinds]string{
	"delay", "jitter", "rate", "drop", "dup", "reorder", "corrupt", "truncate", "fragment",
	"close", "rst", "fin", "halfclose", "stall", "mute-pong", "mute-close", "unasked",
	"status", "handshake-delay",
}

// String returns the label used in metrics.
func (k Kind) String() string { return kindLabels[k] }

// Counts are the faults given so far, by kind. All loops add to them, and anybody
// may read. A nil Counts counts nothing.
type Counts struct{ of [Kinds]atomic.Uint64 }

func (n *Counts) add(k Kind) {
	if n != nil {
		n.of[k].Add(1)
	}
}

// All calls f with every kind and how often it was given.
func (n *Counts) All(f func(kind string, given uint64) bool) {
	for k := range Kinds {
		if !f(k.String(), n.of[k].Load()) {
			return
		}
	}
}
