package main

import (
	"net/netip"
	"strings"
	"testing"
)

// trustedProxies trusts the networks that the tests' proxies are in.
func trustedProxies(t testing.TB) *proxies {
	t.Helper()
	p, err := (&Config{TrustedProxies: []string{"10.0.0.0/8", "2001:db8:1::/48", "unix"}}).parseProxies()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestForwardedClient: lines are separated by a bar. Without an error "" is
// nobody.
func TestForwardedClient(t *testing.T) {
	trusted := trustedProxies(t)
	for _, tt := range []struct {
		header ClientHeader
		lines  string
		client string // "!": malformed
	}{
		{HeaderForwardedFor, "203.0.113.7", "203.0.113.7:0"},
		{HeaderForwardedFor, "203.0.113.7:4711", "203.0.113.7:4711"},
		{HeaderForwardedFor, "2001:db8::7", "[2001:db8::7]:0"},
		{HeaderForwardedFor, "[2001:db8::7]", "[2001:db8::7]:0"},
		{HeaderForwardedFor, "[2001:db8::7]:4711", "[2001:db8::7]:4711"},
		{HeaderForwardedFor, "::ffff:203.0.113.7", "203.0.113.7:0"},
		{HeaderForwardedFor, "[::ffff:203.0.113.7]:1", "203.0.113.7:1"},
		{HeaderForwardedFor, "6.6.6.6, 203.0.113.7", "203.0.113.7:0"},
		{HeaderForwardedFor, "6.6.6.6, 203.0.113.7, 10.0.0.1,10.1.1.1", "203.0.113.7:0"},
		{HeaderForwardedFor, "203.0.113.7, 2001:db8:1::1", "203.0.113.7:0"},
		{HeaderForwardedFor, "6.6.6.6|203.0.113.7|10.0.0.1", "203.0.113.7:0"},
		{HeaderForwardedFor, "203.0.113.7|", "203.0.113.7:0"},
		{HeaderForwardedFor, "203.0.113.7 ,\t, ", "203.0.113.7:0"},
		{HeaderForwardedFor, "10.0.0.3, 10.0.0.2, 10.0.0.1", "10.0.0.3:0"}, // all are ours: the first asks for itself
		{HeaderForwardedFor, "nonsense, 203.0.113.7", "203.0.113.7:0"},     // what nobody vouches for is not looked at
		{HeaderForwardedFor, "", ""},
		{HeaderForwardedFor, " , ", ""},
		{HeaderForwardedFor, "unknown", ""},
		{HeaderForwardedFor, "6.6.6.6, unknown, 10.0.0.1", ""},
		{HeaderForwardedFor, "_hidden", ""},
		{HeaderForwardedFor, "6.6.6.6, nonsense", "!"},
		{HeaderForwardedFor, "6.6.6.6, nonsense, 10.0.0.1", "!"},
		{HeaderForwardedFor, "203.0.113.7;x", "!"},
		{HeaderForwardedFor, "203.0.113", "!"},
		{HeaderForwardedFor, "203.0.113.07", "!"},
		{HeaderForwardedFor, "203.0.113.7:", "!"},
		{HeaderForwardedFor, "203.0.113.7:65536", "!"},
		{HeaderForwardedFor, "203.0.113.7:+1", "!"},
		{HeaderForwardedFor, "[203.0.113.7]:1", "!"},
		{HeaderForwardedFor, "[2001:db8::7", "!"},
		{HeaderForwardedFor, "2001:db8::7]", "!"},
		{HeaderForwardedFor, "[2001:db8::7]1", "!"},
		{HeaderForwardedFor, "fe80::1%eth0", "!"},
		{HeaderForwardedFor, "[fe80::1%eth0]:1", "!"},
		{HeaderForwardedFor, "0.0.0.0", "!"},
		{HeaderForwardedFor, "::", "!"},
		{HeaderForwardedFor, "a_b", "!"},
		{HeaderForwardedFor, "_", "!"},
		{HeaderForwardedFor, strings.Repeat("10.0.0.1,", maxForwarded), "10.0.0.1:0"},
		{HeaderForwardedFor, "6.6.6.6" + strings.Repeat(",10.0.0.1", maxForwarded), "!"},

		{HeaderRealIP, "203.0.113.7", "203.0.113.7:0"},
		{HeaderRealIP, "2001:db8::7", "[2001:db8::7]:0"},
		{HeaderRealIP, "10.0.0.1", "10.0.0.1:0"},
		{HeaderRealIP, "", ""},
		{HeaderRealIP, "203.0.113.7, 203.0.113.8", "!"},

		// RFC 7239 §4 and §6, with their examples.
		{HeaderForwarded, `for="_gazonk"`, ""},
		{HeaderForwarded, `For="[2001:db8:cafe::17]:4711"`, "[2001:db8:cafe::17]:4711"},
		{HeaderForwarded, `for=192.0.2.60;proto=http;by=203.0.113.43`, "192.0.2.60:0"},
		{HeaderForwarded, `for=192.0.2.43, for=198.51.100.17`, "198.51.100.17:0"},
		{HeaderForwarded, `for=_hidden, for=_SEVKISEK`, ""},
		{HeaderForwarded, `for="192.0.2.43:47011"`, "192.0.2.43:47011"},
		{HeaderForwarded, `for="[2001:db8:cafe::17]"`, "[2001:db8:cafe::17]:0"},
		{HeaderForwarded, `for="192.0.2.43:_port"`, "192.0.2.43:0"},
		{HeaderForwarded, `for="unknown:_port"`, ""},
		{HeaderForwarded, `for=Unknown`, ""},
		{HeaderForwarded, `for=6.6.6.6, for=203.0.113.7 , for="10.0.0.1";by="[2001:db8:1::1]"`, "203.0.113.7:0"},
		{HeaderForwarded, `for=6.6.6.6|for=203.0.113.7|for=10.0.0.1`, "203.0.113.7:0"},
		{HeaderForwarded, `by=10.0.0.1;secret="a,b;c\"d";for=203.0.113.7`, "203.0.113.7:0"},
		{HeaderForwarded, `for="203.0.113\.7"`, "203.0.113.7:0"},
		{HeaderForwarded, `;for=203.0.113.7;,,`, "203.0.113.7:0"},
		{HeaderForwarded, `proto=https`, ""}, // it does not say for whom
		{HeaderForwarded, `for=6.6.6.6, proto=https`, ""},
		{HeaderForwarded, ``, ""},
		{HeaderForwarded, `for=`, "!"},
		{HeaderForwarded, `for`, "!"},
		{HeaderForwarded, `for =203.0.113.7`, "!"},
		{HeaderForwarded, `for= 203.0.113.7`, "!"},
		{HeaderForwarded, `for=203.0.113.7;for=6.6.6.6`, "!"},
		{HeaderForwarded, `for=2001:db8::7`, "!"}, // must be quoted, and in brackets
		{HeaderForwarded, `for="2001:db8::7"`, "[2001:db8::7]:0"},
		{HeaderForwarded, `for="[2001:db8::7]`, "!"},
		{HeaderForwarded, `for="203.0.113.7`, "!"},
		{HeaderForwarded, `for="203.0.113.7\`, "!"},
		{HeaderForwarded, `for=203.0.113.7 proto=http`, "!"},
		{HeaderForwarded, `203.0.113.7`, "!"},
		// A quotation mark that a client has opened must not swallow what the
		// proxy has written.
		{HeaderForwarded, `for=6.6.6.6;x=", for=203.0.113.7`, "!"},
		{HeaderForwarded, `for=6.6.6.6;x=", for="203.0.113.7"`, "!"},
		{HeaderForwarded, `for=6.6.6.6;x=", for="203.0.113.7";by="10.0.0.1"`, "!"},
		{HeaderForwarded, `for=6.6.6.6;x="|for=203.0.113.7`, "203.0.113.7:0"},
	} {
		got, err := clients{tt.header, trusted}.pick(strings.Split(tt.lines, "|"))
		want := netip.AddrPort{}
		if tt.client != "" && tt.client != "!" {
			want = netip.MustParseAddrPort(tt.client)
		}
		if got != want || (err != nil) != (tt.client == "!") {
			t.Errorf("%s: %s: got %v, %v, want %s", tt.header, tt.lines, got, err, tt.client)
		}
	}
}

// FuzzForwarded: never a panic, and who is named is an address that can be a
// peer's; whatever a client writes in front, the proxy's own element decides.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"203.0.113.7", "for=1.2.3.4;by=x", `for="[::1]:_p"`, `x="`, `for=1.1.1.1;x="\`, "unknown, [::1"} {
		f.Add(seed)
	}
	trusted := trustedProxies(f)
	f.Fuzz(func(t *testing.T, text string) {
		for header, own := range map[ClientHeader]string{
			HeaderForwardedFor: "203.0.113.7", HeaderForwarded: `for="203.0.113.7"`, HeaderRealIP: "",
		} {
			c := clients{header, trusted}
			got, err := c.pick([]string{text})
			if a := got.Addr(); err != nil && got.IsValid() || got.IsValid() && (a.IsUnspecified() || a.Zone() != "" || a.Is4In6()) {
				t.Fatalf("%s %q: got %v, %v", header, text, got, err)
			}
			if own == "" {
				continue
			}
			if got, err := c.pick([]string{text, own}); got.String() != "203.0.113.7:0" || err != nil {
				t.Fatalf("%s, on a line of its own behind %q: got %v, %v", header, text, got, err)
			}
			if got, err := c.pick([]string{text + ", " + own}); err == nil && got.String() != "203.0.113.7:0" {
				t.Fatalf("%s behind %q: got %v", header, text, got)
			}
		}
	})
}

// TestTrustedProxies compares the whole text of the errors.
func TestTrustedProxies(t *testing.T) {
	has := func(want bool, peer string, networks ...string) {
		t.Helper()
		p, err := (&Config{TrustedProxies: networks}).parseProxies()
		if err != nil {
			t.Fatal(err)
		}
		var a netip.Addr
		if peer != "" {
			a = netip.MustParseAddr(peer)
		}
		if p.has(a) != want {
			t.Errorf("%q in %q: got %v, want %v", peer, networks, !want, want)
		}
	}
	has(true, "10.1.2.3", "192.0.2.1", "10.0.0.0/8")
	has(true, "10.1.2.3", "10.9.9.9/8") // as everybody reads it
	has(true, "::ffff:10.1.2.3", "10.0.0.0/8")
	has(true, "192.0.2.1", "192.0.2.1")
	has(false, "192.0.2.2", "192.0.2.1")
	has(true, "2001:db8::5", "2001:db8::/32")
	has(true, "fe80::1%1", "fe80::/10")
	has(false, "2001:db8::5", "0.0.0.0/0")
	has(false, "10.1.2.3", "::/0")
	has(false, "10.1.2.3")
	has(false, "", "0.0.0.0/0", "::/0")
	has(true, "", "unix")
	has(false, "127.0.0.1", "unix")
}
