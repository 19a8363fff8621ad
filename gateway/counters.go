package main

import (
	"echogate/gateway/admin"
	"echogate/gateway/fault"
	"echogate/gateway/zoo"
)

// faultCounter shows the faults given on the admin port.
func faultCounter(given *fault.Counts) admin.Counter {
	return admin.Counter{
		Name: "faults_total", Labels: []string{"kind"}, Help: "Faults given, by the parameter that asked for them.",
		Read: func(add func(n uint64, labels ...string)) {
			for kind, n := range given.All {
				add(n, kind)
			}
		},
	}
}

// zooCounter shows there what clients did in the zoo.
func zooCounter() admin.Counter {
	return admin.Counter{
		Name: "zoo_total", Labels: []string{"animal", "outcome"}, Help: "Visits to the zoo, by what the client did.",
		Read: func(add func(n uint64, labels ...string)) {
			zoo.Each(func(animal, outcome string, n uint64) { add(n, animal, outcome) })
		},
	}
}
