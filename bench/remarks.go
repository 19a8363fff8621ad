package main

import (
	"fmt"
	"slices"
	"strings"
)

// remarks are what a loop has to say about its run besides the figures. What it
// says often is said once, with how often; there is a bound to it all.
type remarks struct {
	texts []string
	times map[string]int
}

// maxRemarks is how many different notes a loop keeps.
const maxRemarks = 20

// add notes why a connection has ended, and of what kind that is unless it says
// so itself.
func (r *remarks) add(f *failure) {
	if kind := f.kind.String(); !strings.HasPrefix(f.text, kind) {
		r.say(kind + ": " + f.text)
		return
	}
	r.say(f.text)
}

// say notes a sentence.
func (r *remarks) say(text string) {
	if r.times == nil {
		r.times = make(map[string]int)
	}
	if r.times[text] == 0 {
		if len(r.texts) == maxRemarks {
			return
		}
		r.texts = append(r.texts, text)
	}
	r.times[text]++
}

// list is what was said.
func (r *remarks) list() []string {
	list := slices.Clone(r.texts)
	for i, text := range list {
		if times := r.times[text]; times > 1 {
			list[i] = fmt.Sprintf("%s (%d times)", text, times)
		}
	}
	return list
}
