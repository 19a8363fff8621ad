//go:build linux

package main

import (
	"net"
	"strings"
	"testing"
)

// TestClient runs the client against the paths.
func TestClient(t *testing.T) {
	host := startGateway(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := nobody.Addr().String()
	nobody.Close()
	secure := startGateway(t, "--tls-self-signed")
	for _, x := range []struct {
		args        string // HOST is the gateway, SECURE one with TLS, | separates
		code        int
		out, errOut string // errOut: a part of it
	}{
		{"ws://HOST/echo|-m|hello|-m|a,b", 0, "hello\na,b\n", `closed: 1000 ""`},
		{"ws://HOST/discard|-m|x|-n|0", 0, "", `closed: 1000 ""`},
		{"ws://HOST/close?code=1001", 11, "", `closed: 1001 ""`},
		{"ws://HOST/close?code=1014&reason=r", 24, "", `closed: 1014 "r"`},
		{"ws://HOST/close?code=1005", 15, "", `closed: 1005 ""`},
		{"ws://HOST/close?code=3999", 30, "", `closed: 3999 ""`},
		{"ws://HOST/close|-m|4000 bye", 40, "", `closed: 4000 "bye"`},
		{"ws://HOST/internal_error", 21, "", `closed: 1011 ""`},
		{"ws://HOST/benchmark_helper|-m|send 1|-m|aaa|-n|1", 0, "3\n", `closed: 1000 ""`},
		{"ws://HOST/benchmark_helper|-m|receive 3", 0, "00000000  61 61 61                                          |aaa|\n", ""},
		{"ws://HOST/benchmark_helper|-m|send 1|-m|aab|-n|1", 17, "", "letter a"},
		{"ws://HOST/subprotocol|-s|soap|-s|wamp|-m|x", 0, "x\n", "subprotocol: soap\n"},
		{"ws://HOST/subprotocol?mode=foreign|-s|soap|-m|x", 1, "", "protocol"},
		{"ws://HOST/origin_check|-H|Origin: http://example.com|-m|x", 0, "x\n", ""},
		{"ws://HOST/origin_check|-m|x", 1, "", "403"},
		{"ws://HOST/cookie?set|-m|x", 0, "x\n", "Set-Cookie: foo=bar"},
		{"ws://HOST/echo?fragment=2&seed=9|-m|hello", 0, "hello\n", "X-Echogate-Seed: 9\n"},
		{"ws://HOST/echo?corrupt=1&seed=1|-m|\u20ac\u20ac\u20ac\u20ac", 1, "", "utf8"},
		{"ws://HOST/time|-n|1", 0, "", ""},
		{"ws://HOST/abort", 1, "", "EOF"},
		{"ws://HOST/discard|-m|x|-w|100ms", 3, "", "timeout"},
		{"ws://HOST/echo?mute-close|-m|x|-w|100ms", 3, "x\n", "timeout"},
		{"ws://HOST/benchmark_helper|-m|receive 100|--max-size|99", 1, "", "large"},
		{"ws://HOST/echo?location=/elsewhere|-m|x", 1, "", "Location: /elsewhere\n"},
		{"ws://HOST/echo?status=418|-m|x", 1, "", "\n\n418 I'm a teapot: as the query asks\nechogate: "},
		{"wss://SECURE/echo|-m|x", 1, "", "certificate"},
		{"wss://SECURE/echo|-k|-m|x", 0, "x\n", `closed: 1000 ""`},
		{"ws://" + gone + "/", 1, "", "refused"},
		{"http://HOST/", 2, "", "accepted are ws://host/path and wss://host/path"},
		{"ws://HOST/|-H|no colon", 2, "", "accepted is NAME: VALUE"},
		{"ws://HOST/|-n|-1", 2, "", "--count: "},
		{"ws://HOST/|--listen|:1", 2, "", "unknown flag --listen of client"},
		{"--help", 0, "", ""},
	} {
		var out, errOut strings.Builder
		args := strings.Split("client|"+strings.NewReplacer("HOST", host, "SECURE", secure).Replace(x.args), "|")
		code := run(args, lookup(map[string]string{"ECHOGATE_LOOPS": "many"}), &out, &errOut)
		loose := strings.Contains(x.args, "/time") || x.args == "--help"
		if code != x.code || !loose && out.String() != x.out || !strings.Contains(errOut.String(), x.errOut) {
			t.Errorf("%s:\n got %d, %q, %q\nwant %d, %q, %q", x.args, code, out.String(), errOut.String(), x.code, x.out, x.errOut)
		}
		if x.args == "--help" && (!strings.Contains(out.String(), "--count") || strings.Contains(out.String(), "ECHOGATE_") || strings.Contains(out.String(), "--listen")) {
			t.Errorf("help has what is not the client's:\n%s", out.String())
		}
	}
}
