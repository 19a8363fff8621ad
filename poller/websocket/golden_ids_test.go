package websocket

import (
	"fmt"
	"strings"
)

// conformanceIDs are the ids of the behaviours that a server's frames must
// show, groups 1 to 7, 9, 10, 12 and 13 numbered as in the Autobahn test suite; D
// are more of compression, F of frames, L of a connection's life. The handshake's, group H, are in
// handshakeCases. Of L the list has what shows without sockets: the others are
// package poller's.
func conformanceIDs() []string {
	list := `1.1.1-8 1.2.1-8
		2.1-11
		3.1-7
		4.1.1-5 4.2.1-5
		5.1-20
		6.1.1-3 6.2.1-4 6.3.1-2 6.4.1-4
		6.5.1-5 6.6.1-11 6.7.1-4 6.8.1-2 6.9.1-4 6.10.1-3 6.11.1-5 6.12.1-8 6.13.1-5 6.14.1-10
		6.15.1 6.16.1-3 6.17.1-5 6.18.1-5 6.19.1-5 6.20.1-7 6.21.1-8 6.22.1-34 6.23.1-7
		7.1.1-6 7.3.1-6 7.5.1 7.7.1-13 7.9.1-9 7.13.1-2
		9.1.1-6 9.2.1-6 9.3.1-9 9.4.1-9 9.5.1-6 9.6.1-6 9.7.1-6 9.8.1-6
		10.1.1
		12.1.1-18 12.2.1-18 12.3.1-18 12.4.1-18 12.5.1-18
		13.1.1-18 13.2.1-18 13.3.1-18 13.4.1-18 13.5.1-18 13.6.1-18 13.7.1-18
		D1-8
		F1-13
		L1-3 L5-9`
	var ids []string
	for _, span := range strings.Fields(list) {
		head, last, _ := strings.Cut(span, "-")
		at := strings.LastIndexAny(head, ".DFL") + 1
		var from, to int
		_, _ = fmt.Sscan(head[at:], &from)
		if to = from; last != "" {
			_, _ = fmt.Sscan(last, &to)
		}
		for n := from; n <= to; n++ {
			ids = append(ids, fmt.Sprint(head[:at], n))
		}
	}
	return ids
}
