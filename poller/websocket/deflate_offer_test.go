package websocket

import (
	"fmt"
	"strings"
	"testing"
)

// TestOffer: what is answered to an offer, over a real upgrade, and that what
// follows is compressed if it was agreed on, in a window of that size.
func TestOffer(t *testing.T) {
	const pmd = "permessage-deflate"
	for _, test := range []struct {
		offer  string // header lines, a | between them
		window int    // 0: declined
		answer string // behind what is always answered
	}{
		{pmd, 15, ""},
		{pmd + "; client_max_window_bits", 15, ""},
		{pmd + "; client_max_window_bits=10", 15, ""},
		{pmd + `; client_max_window_bits="15"`, 15, ""},
		{pmd + "; client_max_window_bits=8", 15, ""},
		{pmd + ";server_no_context_takeover;client_no_context_takeover", 15, ""},
		{pmd + "; server_max_window_bits=15", 15, "15"},
		{pmd + "; server_max_window_bits=12; client_max_window_bits=12", 12, "12"},
		{pmd + ` ;	server_max_window_bits = "1\0" `, 10, "10"},
		{pmd + "; server_max_window_bits=9", 9, "9"},
		{"x-webkit-deflate-frame, foo; bar=\"a, " + pmd + "\"; baz, " + pmd, 0, ""}, // a quoted value must be a token
		{"x-webkit-deflate-frame, foo; bar=\"a\"; baz, " + pmd, 15, ""},
		{",, " + pmd + " ,,", 15, ""},
		{"foo|" + pmd, 15, ""},
		{pmd + "; server_max_window_bits=11|" + pmd, 11, "11"},
		{pmd + "; mystery, " + pmd + "; server_max_window_bits=13", 13, "13"},
		{pmd + "; server_max_window_bits=8, " + pmd + "; server_max_window_bits=14, " + pmd, 14, "14"},

		{"", 0, ""},
		{"foo", 0, ""},
		{"permessage-deflated, Permessage-Deflate, permessage-bzip2", 0, ""},
		{pmd + "; mystery", 0, ""},
		{pmd + "; server_max_window_bits", 0, ""},
		{pmd + "; server_max_window_bits=8", 0, ""},
		{pmd + "; server_max_window_bits=7", 0, ""},
		{pmd + "; server_max_window_bits=16", 0, ""},
		{pmd + "; server_max_window_bits=09", 0, ""},
		{pmd + "; server_max_window_bits=1a", 0, ""},
		{pmd + "; server_max_window_bits=150", 0, ""},
		{pmd + "; client_max_window_bits=16", 0, ""},
		{pmd + "; client_max_window_bits=7", 0, ""},
		{pmd + "; server_no_context_takeover=1", 0, ""},
		{pmd + "; client_no_context_takeover=\"x\"", 0, ""},
		{pmd + "; server_no_context_takeover; server_no_context_takeover", 0, ""},
		{pmd + "; server_max_window_bits=12; server_max_window_bits=12", 0, ""},
		{pmd + "; client_max_window_bits; client_max_window_bits=9", 0, ""},
		{pmd + "; SERVER_NO_CONTEXT_TAKEOVER", 0, ""},
		// Malformed: nothing of the list counts.
		{pmd + ", ;", 0, ""},
		{pmd + ";", 0, ""},
		{pmd + "; server_max_window_bits=", 0, ""},
		{pmd + "; client_max_window_bits=\"\"", 0, ""},
		{pmd + "; client_max_window_bits=\"15", 0, ""},
		{pmd + "; client_max_window_bits=\"15\\", 0, ""},
		{pmd + " deflate", 0, ""},
		{pmd + "=1", 0, ""},
		{pmd + "|;;=,\"", 0, ""},
	} {
		t.Run(test.offer, func(t *testing.T) {
			p := newPeer(t, goldenRoutes(t))
			var lines []string
			for line := range strings.SplitSeq(test.offer, "|") {
				lines = append(lines, "sec-websocket-EXTENSIONS: "+line)
			}
			p.feed([]byte(wsHead("/echo", lines...)))
			want := ""
			if test.window == 0 {
				checkUpgraded(t, p)
			} else {
				want = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
				if test.answer != "" {
					want += "; server_max_window_bits=" + test.answer
				}
				want += "\r\n"
			}
			if got := string(p.out); !strings.Contains(got, want) || want == "" && strings.Contains(got, "Extensions") {
				t.Errorf("got %q, want %q in it", got, want)
			}
			if got := p.state.window(); got != test.window {
				t.Errorf("got window %d, want %d", got, test.window)
			}
			p.out = nil
			p.feed([]byte(packedText("a")))
			if bad := fmt.Sprint(p.err); (test.window == 0) != strings.Contains(bad, "rsv") {
				t.Errorf("a compressed message got %s", bad)
			}
		})
	}
}

// A client that has sent several requests gets what the last of them offered.
func TestOfferOfEachRequest(t *testing.T) {
	routes := mustCompile(t, map[string]Route{
		"/wait": {Message: echoBack, Compression: CompressionOn, HTTP: page},
		"/raw":  {Message: echoBack, Compression: CompressionOn, Head: func(_ *Conn, _ *Request, out []byte) []byte { return append(out, "raw"...) }},
	})
	offer := "Sec-WebSocket-Extensions: permessage-deflate"
	p := newPeer(t, routes)
	p.feed([]byte(head("GET /wait HTTP/1.1", host, offer)))
	p.feed([]byte(wsHead("/wait", offer)))
	if !p.state.Compressed() || strings.Count(string(p.out), "permessage-deflate") != 1 {
		t.Errorf("got %q", p.out)
	}
	p = newPeer(t, routes)
	p.feed([]byte(wsHead("/wait")))
	if p.state.Compressed() || strings.Contains(string(p.out), "permessage-deflate") {
		t.Errorf("not offered, got %q", p.out)
	}
	p = newPeer(t, routes)
	p.feed([]byte(wsHead("/raw", offer)))
	if p.state.Compressed() || string(p.out) != "raw" {
		t.Errorf("the Route's own head: %q, compressed %v", p.out, p.state.Compressed())
	}
	// The connections of a loop share the memory that their answers are written in.
	p = newPeer(t, routes)
	for _, line := range []string{offer + "; server_max_window_bits=9", "Sec-WebSocket-Extensions: foo", offer, "Origin: x"} {
		p.state, p.out = State{}, nil
		p.Bind(1, &p.state, nil)
		p.feed([]byte(wsHead("/wait", line)))
		if got, want := strings.Count(string(p.out), "permessage-deflate"), strings.Count(line, "permessage-deflate"); got != want || strings.Contains(string(p.out), "bits") != strings.Contains(line, "bits") {
			t.Errorf("%s: got %q", line, p.out)
		}
		p.end(t, ErrEOF)
	}
}
