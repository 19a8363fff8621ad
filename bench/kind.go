package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Kind is a kind of error. The list is closed: what --fail, the table and the
// JSON name are these.
type Kind uint8

// The kinds of errors.
const (
	KindConnect        Kind = iota // refused, unreachable
	KindConnectTimeout             // no answer to the SYN in time
	KindUpgrade                    // anything but a good 101
	KindUpgradeTimeout             // no whole 101 in time
	KindResource                   // our own: out of descriptors, ports, memory
	KindCorrupt                    // an echo that is not what was sent
	KindProtocol                   // a frame that RFC 6455 forbids
	KindClosed                     // a close frame that was not asked for
	KindEOF                        // the end of the stream without a close frame
	KindReset                      // the connection was reset
	KindTimeout                    // no echo in time
	KindIO                         // any other failure of a socket
	kinds                          // how many there are
)

var kindNames = [kinds]string{
	KindConnect:        "connect",
	KindConnectTimeout: "connect_timeout",
	KindUpgrade:        "upgrade",
	KindUpgradeTimeout: "upgrade_timeout",
	KindResource:       "resource",
	KindCorrupt:        "corrupt",
	KindProtocol:       "protocol",
	KindClosed:         "closed",
	KindEOF:            "eof",
	KindReset:          "reset",
	KindTimeout:        "timeout",
	KindIO:             "io",
}

// String is the name of k.
func (k Kind) String() string { return kindNames[k] }

// MarshalText writes the name of k.
func (k Kind) MarshalText() ([]byte, error) { return []byte(kindNames[k]), nil }

// UnmarshalText accepts the name of a kind.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a kind of error: accepted are %s", text, strings.Join(kindNames[:], ", "))
	}
	*k = Kind(i)
	return nil
}

// Counts is a number for every kind of error.
type Counts [kinds]int64

// Sum is the number of errors of all kinds.
func (c *Counts) Sum() int64 {
	var sum int64
	for _, n := range c {
		sum += n
	}
	return sum
}

func (c *Counts) add(d *Counts) {
	for k, n := range d {
		c[k] += n
	}
}

// MarshalJSON writes an object with every kind, the ones that did not happen
// too: a reader need not know the list.
func (c Counts) MarshalJSON() ([]byte, error) {
	m := make(map[Kind]int64, kinds)
	for k, n := range c {
		m[Kind(k)] = n
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Counts) UnmarshalJSON(b []byte) error {
	var m map[Kind]int64
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*c = Counts{}
	for k, n := range m {
		c[k] = n
	}
	return nil
}
